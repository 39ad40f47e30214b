"""Several workers of one service: what each of them answers, whichever is asked."""

import json
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import vitals
from tests.engine.applications import until
from vitals import Check, CheckFailed, testing
from vitals.observability import own_metrics
from vitals.observability.metric_types import Store
from vitals.observability.worker_files import Folder

FAILING = {"worker 1": "", "worker 2": ""}


@pytest.fixture(autouse=True)
def _own_metrics_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_metrics, "_declared", {})
    monkeypatch.setattr(own_metrics, "_store", Store())
    monkeypatch.setattr(Folder, "is_growing", lambda _: False)  # the tests have workers too
    monkeypatch.setitem(FAILING, "worker 2", "")


class Worker:
    """One of the two, as they are in a process each."""

    def __init__(self, folder: Path, name: str) -> None:
        async def database() -> None:
            if FAILING[name]:
                raise CheckFailed(FAILING[name])

        self.app, checks = FastAPI(), [Check("database", database)]
        self.app.get("/a/{number}")(lambda number: number)
        self.app.get("/defect")(lambda: 1 / 0)
        options: dict[str, Any] = {"checks": checks, "required": ["database"]}
        vitals.install(self.app, environment="local", folder=folder, **options)

    async def get(self, path: str) -> Any:
        answer = await self.client.get(path)
        return answer.json() if "json" in answer.headers["content-type"] else answer.text

    def leaves(self) -> None:
        self.app.state.vitals.begin_drain()

    def dies(self) -> None:
        """What the system does at the end of a process."""
        self.app.state.vitals.service.file._held.close()

    client: httpx.AsyncClient


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[list[Worker]]:
    found = [Worker(tmp_path, name) for name in FAILING]
    async with AsyncExitStack() as stack:
        for each in found:
            each.client = await stack.enter_async_context(testing.client(each.app))
        yield found


def total(text: str, name: str, labels: str = "") -> float:
    found = [each for each in text.splitlines() if each.startswith(name) and labels in each]
    return sum(float(each.split()[-1]) for each in found)


async def test_requests_of_all_are_counted_whoever_is_asked(workers: list[Worker]) -> None:
    for number, worker in enumerate(workers, 2):
        for _ in range(number):
            await worker.get("/a/1")

    for worker in workers:
        text = await worker.get("/metrics")
        status = await worker.get("/status.json")
        name = "http_server_request_duration_seconds_count"
        assert total(text, name, '"/a/{number}"') == 5
        assert {row["route"]: row["requests"] for row in status["routes"]} == {"/a/{number}": 5}


async def test_own_metrics_are_counted_together_and_gauges_by_worker(tmp_path: Path) -> None:
    orders = vitals.counter("orders_total", "orders accepted", "kind")
    orders.add(0, kind="gift")
    waiting, payment = vitals.gauge("queue_waiting", "waiting"), vitals.histogram("pay_s", "time")
    payment.observe(0.25)  # before the start, as an import may
    worker = Worker(tmp_path, "worker 1")
    async with testing.client(worker.app) as worker.client:
        orders.add(2, kind="gift")
        waiting.set(4)
        payment.observe(0.5)
        text = await worker.get("/metrics")
        section = (await worker.get("/status.json"))["sections"]["Metrics"]

    assert 'orders_total{kind="gift"} 2.0\n' in text
    assert 'queue_waiting{worker="1"} 4.0\n' in text
    assert "pay_s_sum 0.75\npay_s_count 2\n" in text
    assert section['orders_total{kind="gift"}'] == "2.0"


async def test_an_own_label_worker_is_not_given_a_second_time(tmp_path: Path) -> None:
    vitals.gauge("queue_waiting", "waiting", "worker").set(4, worker="mail")
    worker = Worker(tmp_path, "worker 1")

    async with testing.client(worker.app) as worker.client:
        text = await worker.get("/metrics")

    assert 'queue_waiting{worker="mail"} 4.0\n' in text


async def test_each_metric_is_described_once(workers: list[Worker]) -> None:
    await workers[0].get("/a/1")

    lines = (await workers[1].get("/metrics")).splitlines()

    described = [line for line in lines if line.startswith("# TYPE")]
    assert len(described) == len(set(described)) > 10
    assert len(lines) == len(set(lines))


async def test_a_dead_workers_counts_stay_and_its_gauges_go(workers: list[Worker]) -> None:
    await workers[0].get("/a/1")
    workers[0].dies()

    text = await workers[1].get("/metrics")

    assert total(text, "http_server_request_duration_seconds_count", '"/a/{number}"') == 1
    assert 'worker="1"' in text
    assert 'worker="2"' not in text


async def test_the_page_says_which_worker_answers(workers: list[Worker]) -> None:
    pages = [(await worker.get("/status.json"))["about"]["worker"] for worker in workers]

    assert pages == ["1 of 2", "2 of 2"]
    assert "all workers on this machine" in await workers[0].get("/status")


async def test_health_names_the_worker_whose_check_fails(workers: list[Worker]) -> None:
    FAILING["worker 2"] = "pool is full"
    await until(lambda: workers[1].app.state.vitals.checks.failing())
    workers[1].app.state.vitals.service.publish()

    await workers[0].get("/metrics")
    health = await workers[0].get("/health")

    [check] = health["checks"]["database"]
    assert (health["status"], check["output"]) == ("warn", "worker 2 of 2: pool is full")
    assert [s["name"] for s in (await workers[0].get("/status.json"))["changes"]] == ["database"]
    assert (await workers[1].client.get("/readyz")).status_code == 503


async def test_errors_of_all_are_on_the_page_of_each(workers: list[Worker]) -> None:
    await workers[0].get("/defect")
    workers[0].app.state.vitals.service.publish()  # as it does once a second

    failures = (await workers[1].get("/status.json"))["failures"]

    assert [(each["route"], each["error"]) for each in failures] == [
        ("/defect", "ZeroDivisionError")
    ]


async def test_a_worker_that_leaves_alone_stays_ready_and_all_that_leave_are_not(
    workers: list[Worker],
) -> None:
    ready = []
    for worker in workers:
        worker.leaves()
        ready.append([(await each.client.get("/readyz")).status_code for each in workers])

    assert ready == [[200, 200], [503, 503]]
    assert (await workers[0].get("/health"))["status"] == "fail"


async def test_a_worker_that_leaves_has_its_clients_connect_anew(workers: list[Worker]) -> None:
    workers[0].leaves()

    assert (await workers[0].client.get("/a/1")).headers["connection"] == "close"
    assert "connection" not in (await workers[1].client.get("/a/1")).headers


async def test_a_worker_that_starts_later_has_the_history_of_the_others(
    workers: list[Worker], tmp_path: Path
) -> None:
    await workers[0].get("/a/1")
    first = workers[0].app.state.vitals
    await first.service.refresh()
    first._history.update()
    first._history.advance()
    late = Worker(tmp_path, "worker 1")

    async with testing.client(late.app) as late.client:
        routes = (await late.get("/status.json"))["routes"]

    assert [(row["route"], row["requests"]) for row in routes] == [("/a/{number}", 1)]


async def test_gauges_are_read_in_the_thread_of_the_event_loop(tmp_path: Path) -> None:
    def gauges() -> dict[str, float]:
        threads.add(threading.current_thread())
        return {}

    threads: set[threading.Thread] = set()
    worker = Worker(tmp_path, "worker 1")
    async with testing.client(worker.app) as worker.client:
        worker.app.state.vitals._metrics._gauges = [gauges]
        await worker.get("/metrics")

    assert threads == {threading.current_thread()}


async def test_a_worker_reads_the_others_again_after_a_failure(
    workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Folder) -> list[str]:
        failed.append("alive")
        raise OSError("too many open files")

    failed: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(Folder, "alive", fails)
        assert "/a" not in await workers[0].get("/metrics")
        await until(lambda: len(failed) > 1)
    FAILING["worker 2"] = "pool is full"

    service = workers[0].app.state.vitals.service
    await until(lambda: not all(s.up for s in service.snapshot().states))


async def test_without_a_lifespan_a_worker_answers_for_itself(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "worker 1")
    transport = httpx.ASGITransport(worker.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as worker.client:
        await worker.get("/a/1")
        text, health = await worker.get("/metrics"), await worker.get("/health")

    assert total(text, "http_server_request_duration_seconds_count", '"/a/{number}"') == 1
    assert health["process"]["lifespan"] is False
    assert "lifespan" in json.dumps(health["checks"]["starting"])


def test_a_folder_that_others_may_read_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    with pytest.raises(ValueError, match="Fix: give a folder of this service alone"):
        Worker(tmp_path, "worker 1")
