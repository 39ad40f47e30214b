"""The migrations and the tables in the code agree."""

import pytest
from alembic import command
from alembic.config import Config

from tests.database import ROOT, migrated


def test_the_migrations_make_the_tables_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENVIRONMENT", "test")
    monkeypatch.setenv("APP_DATABASE_URL", f"sqlite:///{migrated()}")

    command.check(Config(ROOT / "alembic.ini"))  # it raises when a migration is missing
