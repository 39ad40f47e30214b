"""Probes: their cost, and the independence of two instances."""

import signal
import subprocess
import time
from collections.abc import Callable

from tests import baking
from tests.faults.client import Client, crowd
from tests.faults.servers import Server
from tests.faults.service import Project, Service
from tests.faults.table import Row

Start = Callable[..., Service]
Begin = Callable[..., Row]
TRANSACTIONS = """
import asyncio, asyncpg, sys
async def main():
    c = await asyncpg.connect(sys.argv[1])
    print(await c.fetchval("SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database"))
asyncio.run(main())
"""
OWN_TRANSACTIONS = 3  # to ask for them


def transactions(project: Project, database: Server) -> int:
    """The number of transactions that the server has ended so far."""
    command = [project.python, "-c", TRANSACTIONS, database.url]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def test_r7_a_storm_of_probes_is_answered_from_memory(
    start: Start, row: Begin, project: Project, database: Server
) -> None:
    r7 = row("R7", "1,000 probes/s for 5 s", "108/s; 103 queries/s")
    service = start()
    before, started = transactions(project, database), time.monotonic()

    with crowd(4, service.port, lambda c: c.ask("/readyz"), pause_seconds=0.003) as probes:
        baking.wait_until(lambda: len(probes.answers) >= 5_000, 60)
    seconds = time.monotonic() - started
    ended = transactions(project, database) - before - OWN_TRANSACTIONS

    r7.exactly("failed", len(probes.failed()), 0)
    r7.at_most("5,000 answered in", seconds * 1000, 5_000)
    r7.at_most("transactions", ended / seconds, 1, "/s")


def test_readiness_costs_no_more_than_liveness(start: Start, row: Begin) -> None:
    cost = row("R7", "readiness compared with liveness, CPU, paired")
    service = start()
    with Client(service.port) as client:

        def cpu_of(path: str) -> float:
            before = service.cpu_seconds()
            for _ in range(1_000):
                client.ask(path)
            return service.cpu_seconds() - before

        cpu_of("/readyz")
        rounds = [(cpu_of("/livez"), cpu_of("/readyz")) for _ in range(10)]

    live, ready = map(sum, zip(*rounds, strict=True))  # one round is a few ticks of the clock
    cost.at_least("throughput of readiness to that of liveness", round(live / ready, 2), 0.9)


def test_r9_the_end_of_one_instance_does_not_affect_another(start: Start, row: Begin) -> None:
    r9 = row("R9", "one of two instances killed, then one frozen; supervised", "761 false 503s")
    first, second = start(), start()

    with crowd(1, first.port, lambda c: c.ask("/readyz"), pause_seconds=0.01) as probes:
        second.signal(signal.SIGKILL)
        second.process.wait()
        new = start()
        first_answer = new.ask("/health")
        new.signal(signal.SIGSTOP)
        newest = start()
        baking.wait_until(lambda: len(probes.answers) >= 300, 30)
        new.signal(signal.SIGCONT)

    r9.exactly("false 503 of the other", [a.status for a in probes.answers].count(503), 0)
    r9.exactly("unanswered", len(probes.failures), 0)
    checks = first_answer.json()["checks"]
    r9.exactly(
        "first answer of the new one", (first_answer.status, "starting" in checks), (200, False)
    )
    r9.exactly("the newest is ready", newest.ready(), True)
