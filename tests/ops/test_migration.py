import pytest

from ops import migration
from ops.steps import Refused


def test_a_migration_without_a_name_is_refused() -> None:
    with pytest.raises(Refused, match="make migration NAME="):
        migration.write(" ")
