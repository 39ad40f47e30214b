"""Limits of migrations in config/slo.toml; tests/containers runs the rehearsal of locks."""

from pathlib import Path

import pytest

from vitals.ops.deploy import locks
from vitals.ops.run.steps import Refused


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("lock_second = 2", "lock_second"),
        ('rows = "many"', "rows"),
        ("table.items = { row = 5 }", "table.items.row"),
    ],
)
def test_what_is_unknown_or_no_number_is_refused_by_name(
    line: str, named: str, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "slo.toml").write_text(f"[migrations]\n{line}\n")

    with pytest.raises(Refused) as refused:
        locks.Limits.read(tmp_path)

    assert refused.value.found == f"config/slo.toml: [migrations] {named}"
