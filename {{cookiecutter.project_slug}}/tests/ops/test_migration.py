from pathlib import Path

import pytest

from ops import migration, shell
from ops.steps import Refused


def test_the_migrations_give_what_the_tables_in_the_code_have(tmp_path: Path) -> None:
    environment = {"APP_DATABASE_URL": f"sqlite:///{tmp_path}/new.db"}

    migration.apply(environment)

    shell.must([*migration.ALEMBIC, "check"], environment)


def test_a_migration_without_a_name_is_refused() -> None:
    with pytest.raises(Refused, match="make migration NAME="):
        migration.write(" ")
