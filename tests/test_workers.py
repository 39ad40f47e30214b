"""Several workers under uvicorn and gunicorn, with real processes, signals and sockets."""

import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests import baking

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workers")]
APPLICATION = """
import asyncio, os
from fastapi import FastAPI
import vitals

app = FastAPI(title="Orders")
ORDERS = vitals.counter("orders_total", "orders accepted")

@app.get("/orders/{number}")
async def read(number: int) -> int:
    ORDERS.add()
    await asyncio.sleep(0.005)  # so that requests are in flight
    return number

vitals.install(app, environment="local", folder=os.environ.get("FOLDER"))
"""
PACKAGES = ("fastapi[standard]", "gunicorn", "httptools", "uvicorn", "uvicorn-worker")
CLIENTS = 8
STARTED = "process_start_time_seconds"
PATIENT = ("--timeout-worker-healthcheck", "60")  # with a worker that starts on a busy machine
SERVERS = {
    "uvicorn": ["uvicorn", "shop:app", "--workers", "4", *PATIENT, "--no-access-log", "--port"],
    "gunicorn": ["gunicorn", "shop:app", "-w", "4", "-k", "uvicorn_worker.UvicornWorker", "-b"],
    "one": ["uvicorn", "shop:app", "--no-access-log", "--port"],
    "fastapi": ["fastapi", "run", "shop.py", "--port"],
    "reload": ["uvicorn", "shop:app", "--reload", "--no-access-log", "--port"],
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    (folder / "shop.py").write_text(APPLICATION)
    return baking.with_the_engine(folder, *PACKAGES)


class Served:
    """An application under one of the servers."""

    def __init__(self, python: Path, server: str, workers: int) -> None:
        self.port, self.workers = baking.free_port(), workers
        self.folder = Path(tempfile.mkdtemp(prefix="vitals-"))
        module, *options = SERVERS[server]
        address = f"127.0.0.1:{self.port}" if server == "gunicorn" else str(self.port)
        self.log = self.folder / "log"
        with self.log.open("wb") as lines:
            self.process = subprocess.Popen(
                [python, "-m", module, *options, address],
                cwd=python.parents[2],
                env=baking.environment() | ({"FOLDER": str(self.folder)} if workers > 1 else {}),
                stdout=lines,
                stderr=lines,
            )

    def ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def about(self) -> dict[str, object]:
        with suppress(OSError, ValueError, http.client.HTTPException):
            about: dict[str, object] = json.loads(self.ask("/health")[1])["process"]
            return about
        return {}

    def is_complete(self) -> bool:
        if self.workers == 1:
            return bool(self.about())
        return str(self.about().get("worker")).endswith(f" of {self.workers}")

    def lines(self) -> list[str]:
        return self.ask("/metrics")[1].splitlines()

    def metric(self, name: str, labels: str = "") -> float:
        lines = [line for line in self.lines() if labels in line]
        return sum(float(line.split()[-1]) for line in lines if re.match(rf"{name}[ {{]", line))

    def counted(self) -> float:
        name = "http_server_request_duration_seconds_count"
        return self.metric(name, '"/orders/{number}",http_response_status_code="200"')

    def worker(self) -> int:
        """The process of one worker."""
        names = sorted(path.name for path in self.folder.glob("*.worker"))
        return int(names[-1].split("-")[1])


@contextmanager
def running(python: Path, server: str, workers: int = 4) -> Iterator[Served]:
    service = Served(python, server, workers)
    children = []
    try:
        baking.wait_until(service.is_complete, 120)
        children = psutil.Process(service.process.pid).children(recursive=True)
        yield service
    except BaseException:
        print(service.log.read_text()[-3000:])
        raise
    finally:
        service.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            service.process.wait(40)
        for each in [*children, service.process]:
            with suppress(psutil.NoSuchProcess):
                each.kill()


class Load:
    """Clients that count what was answered, and a probe of /readyz."""

    def __init__(self, service: Served) -> None:
        self._service, self._over = service, threading.Event()
        self.answered, self.ready = [0] * CLIENTS, Counter[int]()
        jobs = [(self._send_on, (number,)) for number in range(CLIENTS)]
        self._threads = [threading.Thread(target=job, args=args) for job, args in jobs]
        self._threads.append(threading.Thread(target=self._probe))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def total(self) -> int:
        return sum(self.answered)

    def more(self, answers: int) -> None:
        wanted = self.total() + answers
        baking.wait_until(lambda: self.total() >= wanted, 60)

    def _send_on(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=60)
        while not self._over.is_set():
            try:
                connection.request("GET", f"/orders/{number}")
                answer = connection.getresponse()
                answer.read()
                self.answered[number] += answer.status == 200
            except (OSError, http.client.HTTPException):
                connection.close()
        connection.close()

    def _probe(self) -> None:
        while not self._over.is_set():
            with suppress(OSError, http.client.HTTPException):
                self.ready[self._service.ask("/readyz")[0]] += 1
            time.sleep(0.02)  # fifty probes a second are many


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_counts_equal_the_clients_after_restarts_and_no_probe_fails(
    python: Path, server: str
) -> None:
    with running(python, server) as service:
        with Load(service) as load:
            load.more(500)
            gone = service.worker()
            os.kill(gone, signal.SIGTERM)
            baking.wait_until(lambda: not psutil.pid_exists(gone), 120)
            baking.wait_until(service.is_complete, 120)
            service.process.send_signal(signal.SIGHUP)  # all, one after the other or at once
            old = {path.name for path in service.folder.glob("*.worker")}
            baking.wait_until(
                lambda: old.isdisjoint(path.name for path in service.folder.glob("*.worker")), 120
            )
            load.more(500)

        assert service.counted() == service.metric("orders_total") == load.total()
        assert set(load.ready) == {200}


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_a_killed_worker_loses_at_most_what_was_in_flight_and_its_gauges_go(
    python: Path, server: str
) -> None:
    with running(python, server) as service:
        with Load(service) as load:
            load.more(500)
            last, killed = f'{STARTED}{{worker="4"}}', service.worker()
            [gauge] = [line for line in service.lines() if line.startswith(last)]
            os.kill(killed, signal.SIGKILL)
            at = time.monotonic()
            baking.wait_until(lambda: gauge not in service.lines(), 8)
            print(f"{server}: gauges gone after {time.monotonic() - at:.2f} s of at most 2")
            load.more(500)

        assert abs(service.counted() - load.total()) <= CLIENTS


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_all_workers_that_leave_are_not_ready(python: Path, server: str) -> None:
    with running(python, server) as service, Load(service) as load:
        load.more(100)

        service.process.terminate()
        service.process.wait(40)

        assert load.ready[503] > 10


@pytest.mark.parametrize("server", ["one", "fastapi"])
def test_one_process_drains_and_writes_its_stacks(python: Path, server: str) -> None:
    with running(python, server, workers=1) as service, Load(service) as load:
        service.process.send_signal(signal.SIGUSR1)
        baking.wait_until(lambda: "stacks of all threads" in service.log.read_text(), 10)

        for _ in range(2):  # a supervisor repeats it
            service.process.send_signal(signal.SIGTERM)
        service.process.wait(40)

        assert load.ready[503] > 10
        assert str(service.about()) == "{}"


def test_a_reload_does_not_wait_for_a_drain(python: Path) -> None:
    with running(python, "reload", workers=1) as reloaded, running(python, "one", 1) as once:
        assert [reloaded.about()["drain_seconds"], once.about()["drain_seconds"]] == [0, 5]
