from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from ops import migration, shell
from ops.steps import Refused


def test_the_migrations_give_what_the_tables_in_the_code_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_DATABASE_URL", f"sqlite:///{tmp_path}/new.db")

    migration.apply()

    command.check(Config(shell.ROOT / "alembic.ini"))


def test_a_migration_without_a_name_is_refused() -> None:
    with pytest.raises(Refused, match="make migration NAME="):
        migration.write(" ")
