"""Runs Alembic on the database of the settings, APP_DATABASE_URL."""

import importlib
import os

from alembic import command, context
from alembic.util import CommandError

import vitals
from app.settings import Settings
from app.tables import metadata
from vitals.migrations import run_migrations  # loads no framework: migrations start fast

# Every command but upgrade compares the tables of all features: app.main imports them.
if getattr(context.config.cmd_opts, "cmd", [None])[0] is not command.upgrade:
    importlib.import_module("app.main")

try:
    settings = vitals.load(Settings, os.environ)
except vitals.SettingsRefused as refusal:
    raise CommandError(str(refusal)) from refusal
run_migrations(settings.database_url.get_secret_value(), target_metadata=metadata)
