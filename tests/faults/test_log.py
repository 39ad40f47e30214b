"""Faults of the log: a full disk, and a pipe that nobody reads."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import baking
from tests.faults.client import Answer, Client
from tests.faults.service import Service
from tests.faults.table import Row

Start = Callable[..., Service]
Begin = Callable[..., Row]
REQUESTS = 3_000


def answered(service: Service) -> list[Answer]:
    """Send requests that are logged, one by one."""
    with Client(service.port) as client:
        return [client.ask("/nowhere") for _ in range(REQUESTS)]


def test_r10_a_pipe_that_nobody_reads_blocks_no_request(start: Start, row: Begin) -> None:
    r10 = row("R10", "stdout is a pipe that nobody reads", "stops after 143 to 175")
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "wb") as pipe:
        service = start(port=baking.free_port(), stdout=pipe, drain_seconds=0)
        answers = answered(service)

        r10.exactly("answered", [a.status for a in answers].count(404), REQUESTS)
        r10.at_most("slowest", max(a.ms for a in answers), 100)
        service.process.terminate()
        begun = time.monotonic()
        service.process.wait(30)
        r10.at_most("exit after", (time.monotonic() - begun) * 1000, 2_000)


def test_r10_a_full_disk_drops_lines_and_counts_them(start: Start, row: Begin) -> None:
    r10 = row("R10", "stdout is full (no space left)")
    with Path("/dev/full").open("wb") as full:
        service = start(port=baking.free_port(), stdout=full)
        answers = answered(service)

        r10.exactly("answered", [a.status for a in answers].count(404), REQUESTS)
        dropped = "log_lines_dropped_total"
        baking.wait_until(lambda: service.metric(dropped) >= REQUESTS, 10)
        r10.at_least("lines dropped and counted", service.metric(dropped), REQUESTS)


def test_a_hanging_process_logs_the_call_that_it_hangs_in(start: Start) -> None:
    service = start(slow_routes=True)
    with ThreadPoolExecutor(1) as client:
        stuck = client.submit(service.ask, "/stuck")

        def stack_is_logged() -> bool:
            service.signal(signal.SIGUSR1)
            return "in stuck" in service.log.read_text()

        baking.wait_until(stack_is_logged, 20)
        assert not stuck.done()
        assert stuck.result().status == 200
    baking.wait_until(lambda: service.checks()["event_loop"] == "warn", 10)
