"""Faults of the machine: a clock that jumps, a full disk."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests import baking
from tests.faults.client import Answer, Client, crowd
from tests.faults.clock import Clock
from tests.faults.service import Service
from tests.faults.table import Row

Start = Callable[..., Service]
Begin = Callable[..., Row]
# In a view of the disks of its own the folder is a small one; then the schema, then the service.
SMALL_DISK = """
mount -t tmpfs -o size=1m small "$0" && "$1" -c '
import os; from vitals.ops.project import migration; migration.apply(os.environ)' && exec "$@"
"""


@pytest.mark.parametrize("hours", [2, -2])
def test_r15_a_clock_that_jumps_is_no_alarm(
    start: Start, row: Begin, tmp_path: Path, hours: int
) -> None:
    r15 = row("R15", f"the clock jumps by {hours:+d} h")
    clock = Clock(tmp_path / "clock")
    service = start(environ=clock.environ)

    def off_hours() -> int:
        date = parsedate_to_datetime(service.ask("/livez").headers["date"]).timestamp()
        return round((date - time.time()) / 3600)

    assert off_hours() == 0
    with crowd(1, service.port, lambda c: c.ask("/readyz"), pause_seconds=0.02) as probes:
        clock.jump(hours)
        baking.wait_until(lambda: off_hours() == hours, 20)
        seen = len(probes.answers)
        baking.wait_until(lambda: len(probes.answers) > seen + 100, 20)

    r15.at_least("probes", len(probes.answers), 100)
    r15.exactly("false alarms", len(probes.failed()), 0)
    r15.exactly("checks", set(service.checks().values()), {"pass"})


def test_r15_a_full_disk_is_a_clear_503_and_loses_nothing(
    start: Start, row: Begin, tmp_path: Path
) -> None:
    r15 = row("R15", "disk full for SQLite")
    folder = tmp_path / "small"
    folder.mkdir()
    service = start(
        wrap=["unshare", "--mount", "sh", "-c", SMALL_DISK, str(folder)],
        database_url=f"sqlite:///{folder}/items.db",
        cache_url="mem://",
    )
    stored, refused = set[int](), list[Answer]()

    with Client(service.port) as client:
        while len(refused) < 20:
            answer = client.ask("/items", "POST", {"name": "x" * 200, "price": 1})
            if answer.status == 201:
                stored.add(answer.json()["id"])
            else:
                refused.append(answer)
        found, page = set[int](), {"next": 0}
        while page["next"] is not None:
            page = client.ask(f"/items?limit=100&after={page['next']}").json()
            found |= {item["id"] for item in page["items"]}

    r15.at_least("writes answered", len(stored), 100)
    r15.exactly("refused with", {answer.status for answer in refused}, {503})
    r15.exactly("answered writes lost", len(stored - found), 0)
    r15.exactly("refused writes kept", len(found - stored), 0)
    r15.exactly("ready to read", service.ready(), True)
