"""Restarts and stops: no request is lost."""

import http.client
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import baking
from tests.faults.balancer import all_in_use, balancer
from tests.faults.client import Answer, Client, Crowd, crowd, raw
from tests.faults.service import Service
from tests.faults.table import Row

Start = Callable[..., Service]
Begin = Callable[..., Row]
DRAIN_SECONDS = 1.5
STREAM = b"GET /stream HTTP/1.1\r\nHost: test\r\n\r\n"


def slow(client: Client) -> Answer:
    return client.ask("/slow")


def echo(client: Client) -> Answer:
    return client.ask("/echo", "POST", {"n": 1})


def test_r1_a_rolling_restart_behind_a_balancer_loses_nothing(
    start: Start, row: Begin, tmp_path: Path
) -> None:
    r1 = row("R1", "rolling restarts behind haproxy, no retries", "80 of 740; 1,226 of 10,099")
    ports = [baking.free_port(), baking.free_port()]
    options = {"slow_routes": True, "drain_seconds": DRAIN_SECONDS}
    instances = [start(port=port, **options) for port in ports]
    restarts = 0

    with (
        balancer(tmp_path, ports) as port,
        crowd(20, port, slow) as gets,
        crowd(20, port, echo, pause_seconds=0.03) as posts,
    ):
        deadline = time.monotonic() + 120
        while len(gets.answers) < 2_000 or len(posts.answers) < 10_000:
            assert time.monotonic() < deadline, "too few requests were made"
            number = restarts % 2
            instances[number].signal(signal.SIGTERM)
            instances[number].process.wait(30)
            instances[number] = start(port=ports[number], **options)
            baking.wait_until(lambda: all_in_use(port), 20)
            restarts += 1

    print(*gets.failed()[:5], *posts.failed()[:5], sep="\n")
    r1.at_least("GET of 200 ms", len(gets.answers), 2_000)
    r1.exactly("failed", len(gets.failed()), 0)
    r1.at_least("POST", len(posts.answers), 10_000)
    r1.exactly("failed", len(posts.failed()), 0)
    r1.at_least("restarts", restarts, 2)


def until_told_to_close(service: Service, result: Crowd) -> None:
    """Use one connection until the server closes it."""
    with Client(service.port) as client:
        try:
            while "close" not in (answer := client.ask("/slow")).headers.get("connection", ""):
                result.answers.append(answer)
            result.answers.append(answer)
        except (OSError, http.client.HTTPException) as error:
            result.failures.append(repr(error))


def test_r2_kept_connections_are_closed_between_requests_and_not_in_one(
    start: Start, row: Begin
) -> None:
    r2 = row("R2", "SIGTERM with 20 clients on kept connections", "11 to 14 failed")
    service = start(slow_routes=True, drain_seconds=DRAIN_SECONDS)
    result = Crowd()
    clients = [
        threading.Thread(target=until_told_to_close, args=(service, result)) for _ in range(20)
    ]
    for client in clients:
        client.start()
    baking.wait_until(lambda: len(result.answers) > 60, 20)

    signalled = service.signal(signal.SIGTERM)
    exit_status = service.process.wait(30)
    took = time.monotonic() - signalled
    for client in clients:
        client.join()

    r2.exactly("failed", len(result.failed()), 0)
    r2.exactly("exit status", exit_status, 0)
    r2.at_most("exit after", took * 1000, (DRAIN_SECONDS + 0.2 + 1) * 1000)


def test_r3_a_draining_service_is_not_ready_and_still_answers(start: Start, row: Begin) -> None:
    r3 = row("R3", "100 ms after SIGTERM", "none does")
    service = start(slow_routes=True, drain_seconds=20)

    service.signal(signal.SIGTERM)
    time.sleep(0.1)  # the fault's own figure: 100 ms after the signal
    paths = ["/readyz", "/livez", "/slow"]
    answers = {path: service.ask(path) for path in paths}

    r3.exactly("readiness, liveness, work", [answers[p].status for p in paths], [503, 200, 200])
    r3.exactly("readiness names", answers["/readyz"].json()["failing"], ["draining"])
    r3.exactly("Connection", {a.headers["connection"] for a in answers.values()}, {"close"})


def test_r2_requests_that_run_at_sigterm_finish(start: Start, row: Begin) -> None:
    r2 = row("R2", "SIGTERM with 20 requests running, no drain")
    service = start(slow_routes=True, drain_seconds=0)

    with ThreadPoolExecutor(20) as clients:
        requests = [clients.submit(service.ask, "/slow?seconds=3") for _ in range(20)]
        baking.wait_until(lambda: service.metric("http_server_active_requests") > 20, 10)
        service.signal(signal.SIGTERM)
        answered = [answer.result().status for answer in requests].count(200)

    r2.exactly("answered", answered, 20)
    r2.exactly("exit status", service.process.wait(30), 0)


def test_an_endless_answer_ends_at_the_request_timeout_and_at_the_stop(
    start: Start,
) -> None:
    service = start(slow_routes=True, request_seconds=1, drain_seconds=0)
    assert raw(service.port, STREAM, wait_seconds=20).startswith(b"HTTP/1.1 200")

    service = start(slow_routes=True, request_seconds=300, drain_seconds=0, shutdown_seconds=1)
    with ThreadPoolExecutor(1) as client:
        streamed = client.submit(raw, service.port, STREAM)
        baking.wait_until(lambda: service.metric("http_server_active_requests") > 1, 10)
        service.signal(signal.SIGTERM)

        assert service.process.wait(20) == 0
        assert streamed.result().startswith(b"HTTP/1.1 200")
