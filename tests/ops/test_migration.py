import pytest

from vitals.ops.project import migration
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused


def test_a_migration_without_a_name_is_refused() -> None:
    with pytest.raises(Refused, match="make migration NAME="):
        migration.write(" ")


def test_a_migration_without_a_database_is_refused_with_its_address() -> None:
    nobody = f"postgresql://app:hidden@127.0.0.1:{shell.free_port()}/gone"

    with pytest.raises(Refused) as refused:
        migration.apply({"APP_DATABASE_URL": nobody})

    assert "expected a database that answers" in refused.value.output
    assert "hidden" not in refused.value.output
    assert "Traceback" not in refused.value.output
