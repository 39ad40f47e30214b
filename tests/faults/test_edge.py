"""The edge: hostile and ordinary clients on real sockets."""

import asyncio
import http.client
import json
import random
import re
import socket
import statistics
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests import baking
from tests.engine.server.hostile import EVERY
from tests.faults.client import SPAWN, crowd, raw
from tests.faults.front import front
from tests.faults.service import Project, Service
from tests.faults.table import Row

Start = Callable[..., Service]
Begin = Callable[..., Row]
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
HOST = b"Host: test\r\n"
GET = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
CUTS_OF_EACH = 13
AT_ONCE = 200


async def in_parts(port: int, data: bytes, cuts: list[int]) -> list[bytes]:
    """Send bytes in parts that are likely to be read alone; return the statuses that came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = bytearray()

    async def receive() -> None:  # from the start: a write to what has closed ends the reading too
        with suppress(ConnectionError):
            while part := await reader.read(65_536):
                received.extend(part)

    receiving = asyncio.create_task(receive())
    with suppress(ConnectionError):  # refused before all was sent
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            writer.write(data[start:end])
            await writer.drain()
            await asyncio.sleep(0.002)  # the cut itself: a pause between two parts
    await asyncio.wait_for(receiving, 30)
    writer.transport.abort()
    return STATUS.findall(received)


Case = tuple[str, list[int]]


def random_cases() -> list[Case]:
    """Every hostile request, whole and cut at random places."""
    cases = [(name, list[int]()) for name in EVERY]
    for name, data in EVERY.items():
        for _ in range(CUTS_OF_EACH):
            count = min(len(data) - 1, random.choice((1, 2, 5)))
            cases.append((name, sorted(random.sample(range(1, len(data)), count))))
    return cases


async def answers_to_each(port: int, cases: list[Case]) -> list[tuple[str, list[int], list[bytes]]]:
    """Send hostile requests, many at once."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, cuts: list[int]) -> tuple[str, list[int], list[bytes]]:
        async with free:
            return name, cuts, await in_parts(port, EVERY[name], cuts)

    return await asyncio.gather(*(one(*case) for case in cases))


def test_e7_hostile_requests_get_the_same_answers_however_they_are_cut(
    start: Start, row: Begin
) -> None:
    e7 = row("E7", f"{len(EVERY)} hostile requests, {CUTS_OF_EACH} random cuts of each")
    service = start(request_read_seconds=2, keep_alive_seconds=1)
    raw(service.port, GET + b"x")
    before = service.rss_mb()

    results = asyncio.run(answers_to_each(service.port, random_cases()))

    whole = {name: answers for name, cuts, answers in results if not cuts}
    late = [(name, cuts) for name, cuts, answers in results if answers != whole[name]]
    # A client that this machine holds up for 2 s between two parts is cut: each has a second try.
    second = asyncio.run(answers_to_each(service.port, late))
    different = [case for case in second if case[2] != whole[case[0]]]
    print(*((*case, whole[case[0]]) for case in different[:20]), sep="\n")
    e7.at_least("cases", len(results), 1_500)
    e7.exactly("answers that differ", len(different), 0)
    e7.exactly("answers ≥ 500", sum(s >= b"500" for _, _, got in results for s in got), 0)
    e7.at_most("memory", max(0, service.rss_mb() - before), 20, "MB more")


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"


def whole(number: int, *headers: bytes) -> bytes:
    """A request whose body is one of the attacker's requests, and whose answer repeats it."""
    body = b"GET /whole?attacker HTTP/1.1\r\nHost: test\r\nX-Id: attacker\r\n\r\n"
    head = b"POST /whole HTTP/1.1\r\n" + HOST + b"X-Id: %d\r\n" % number
    return head + b"".join(headers) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def attack(port: int, over: threading.Event) -> None:
    """Send requests with an ignored Upgrade, whose body comes in a second part."""
    while not over.is_set():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as connection:
            head, end, body = whole(0, UPGRADE).partition(b"\r\n\r\n")
            connection.sendall(head + end)
            time.sleep(0.002)  # so that the body is likely to be read alone
            connection.sendall(body)
            connection.recv(65_536)


def foreign_answers(port: int, requests: int) -> tuple[int, int]:
    """The answers that an honest client gets beside four attackers, and those of another."""
    over = threading.Event()
    attackers = [threading.Thread(target=attack, args=(port, over)) for _ in range(4)]
    for attacker in attackers:
        attacker.start()
    foreign = answered = 0
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for number in range(requests):
        body = f"mine {number}"
        client.request("POST", "/whole", body, {"X-Id": str(number)})
        answer = client.getresponse()
        read = answer.read().decode()
        answered += answer.status == 200
        foreign += (read, answer.headers["X-Id"]) != (body, str(number))
    client.close()
    over.set()
    for attacker in attackers:
        attacker.join()
    return answered, foreign


@pytest.mark.parametrize("through_caddy", [False, True], ids=["directly", "through Caddy"])
def test_e1_no_client_gets_the_answer_to_a_request_hidden_in_a_body(
    start: Start, row: Begin, project: Project, tmp_path: Path, through_caddy: bool
) -> None:
    way = "through the shipped Caddy" if through_caddy else "directly"
    e1 = row("E1", f"bodies behind an ignored Upgrade, beside 1,000 requests, {way}", "16 of 60")
    service = start(slow_routes=True)
    with ExitStack() as stack:
        port = service.port
        if through_caddy:
            port = stack.enter_context(front(project, tmp_path, port))
        answered, foreign = foreign_answers(port, 1_000)
        raw_answer = raw(port, whole(7, UPGRADE, b"Connection: close\r\n"))

    e1.exactly("answered", answered, 1_000)
    e1.exactly("foreign answers", foreign, 0)
    e1.exactly(
        "the body is the body", raw_answer.endswith(whole(7).partition(b"\r\n\r\n")[2]), True
    )
    lines = service.log.read_text().splitlines()
    e1.exactly("warnings", sum('"warning"' in line or " warning " in line for line in lines), 1)


JAVA = (
    b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\nUpgrade: h2c\r\n"
)


def test_e1_curl_and_java_clients_that_offer_http2_are_answered(start: Start, row: Begin) -> None:
    e1 = row("E1", "curl --http2 and the headers of Java's HttpClient")
    service = start(slow_routes=True)
    curl = [
        "curl",
        "--http2",
        "-sS",
        "--data",
        "from curl",
        f"http://127.0.0.1:{service.port}/whole",
    ]

    e1.exactly("curl", subprocess.check_output(curl), b"from curl")
    answer = raw(service.port, whole(1, JAVA, b"Connection: close\r\n"))
    e1.exactly("Java", STATUS.findall(answer), [b"200"])


def send_without_end(port: int, head: bytes, part: bytes, most_mb: int) -> int:
    """Send a head and then a part again and again; return how many MB were taken."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(head)
        try:
            while sent < most_mb * 1_000_000:
                connection.sendall(part)
                sent += len(part)
        except OSError:  # it was cut
            pass
    return sent // 1_000_000


ENDLESS = {
    "trailers": b"X-Trailer: y\r\n" * 5_000,
    "one trailer": b"y" * 65_536,
}


@pytest.mark.parametrize("what", ENDLESS)
def test_e2_trailers_without_end_take_no_memory(start: Start, row: Begin, what: str) -> None:
    e2 = row("E2", f"{what} without end after a chunked body", "+2,041 MB")
    service = start(slow_routes=True)
    raw(service.port, whole(1, b"Connection: close\r\n"))
    before = service.rss_mb()
    head = (
        b"POST /whole HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: "
    )

    for _ in range(3):
        send_without_end(service.port, head, ENDLESS[what], most_mb=200)

    e2.at_most("memory", max(0, service.rss_mb() - before), 5, "MB more")
    e2.exactly("a read after it", service.ask("/slow?seconds=0").status, 200)


@contextmanager
def beside(target: Callable[..., None], port: int, clients: int) -> Iterator[None]:
    """Run clients in a process of their own during the block."""
    over = SPAWN.Event()
    process = SPAWN.Process(target=target, args=(port, clients, over))
    process.start()
    try:
        yield
    finally:
        over.set()
        process.join()


def polite(port: int, clients: int, over: threading.Event) -> None:
    """Clients that send a request when they have the answer to the last one."""
    run_clients(port, clients, over, GET, at_once=1)


def pipelining(port: int, clients: int, over: threading.Event) -> None:
    """Clients that send as many requests as the connection takes."""
    run_clients(port, clients, over, GET * 1_000, at_once=100)


def run_clients(
    port: int, clients: int, over: threading.Event, request: bytes, at_once: int
) -> None:
    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        reading = asyncio.create_task(discard(reader)) if at_once > 1 else None
        while not over.is_set():
            writer.write(request)
            with suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.1)
            if reading is None:
                await reader.readuntil(b'"}')
        if reading:
            reading.cancel()
        writer.transport.abort()

    async def discard(reader: asyncio.StreamReader) -> None:
        while await reader.read(65_536):
            pass

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(clients)))

    asyncio.run(all_of_them())


def median_ms(port: int) -> float:
    """The latency of an honest client: the median of 300 requests."""
    with crowd(1, port, lambda client: client.ask("/slow?seconds=0")) as honest:
        baking.wait_until(lambda: len(honest.answers) >= 300, 120)
    assert honest.failed() == []
    return statistics.median(answer.ms for answer in honest.answers)


def test_e3_clients_that_pipeline_without_end_delay_others_no_more_than_polite_ones(
    start: Start, row: Begin
) -> None:
    e3 = row("E3", "20 connections that pipeline without end", "+781 MB; others wait 15.8 s")
    service = start(slow_routes=True)
    with beside(polite, service.port, 20):
        expected = median_ms(service.port)
    before = service.rss_mb()
    with beside(pipelining, service.port, 20):
        seen = median_ms(service.port)
        memory = service.rss_mb() - before

    e3.at_most("latency to that beside 20 polite clients", seen / expected, 1.5, "times")
    e3.at_most("memory", max(0, memory), 20, "MB more")


LIMIT_SECONDS = 3  # that a request may take


def test_e4_clients_that_read_nothing_are_cut_and_the_others_served(
    start: Start, row: Begin
) -> None:
    e4 = row(
        "E4", "110 connections of 100 that pipeline and read nothing", "503 as long as they stay"
    )
    service = start(slow_routes=True, max_connections=100, request_seconds=LIMIT_SECONDS)
    request = b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n" * 500
    with ExitStack() as stack:
        for _ in range(110):
            client = socket.create_connection(("127.0.0.1", service.port), 10)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.setblocking(False)
            with suppress(BlockingIOError):
                stack.enter_context(client).send(request)
        begun, active, late = time.monotonic(), 0.0, 0.0
        while (passed := time.monotonic() - begun) < 4 * LIMIT_SECONDS:
            active = max(active, service.metric("http_server_active_requests"))
            if service.ask("/slow?seconds=0").status != 200:
                late = passed

    e4.at_least("counted as active", active, 50)
    e4.at_most("the others served after", late * 1000, LIMIT_SECONDS * 1000)


def test_e6_bodies_that_never_come_leave_half_of_the_connections_to_others(
    start: Start, row: Begin
) -> None:
    e6 = row("E6", "1,010 POSTs whose bodies never come", "503 for everyone for 10 s, repeatable")
    service = start(slow_routes=True)
    head = b"POST /whole HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n"
    with ExitStack() as stack, crowd(1, service.port, lambda c: c.ask("/slow?seconds=0")) as honest:
        for _ in range(1_010):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 10))
            client.sendall(head)
        before = len(honest.answers)
        baking.wait_until(lambda: len(honest.answers) > before + 50, 30)
        first = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 10))
        first.sendall(head)

    e6.exactly("failed of others", len(honest.failed()), 0)


@pytest.mark.parametrize("through_caddy", [False, True], ids=["directly", "through Caddy"])
def test_e8_a_client_that_sends_all_first_receives_the_refusal(
    start: Start, row: Begin, project: Project, tmp_path: Path, through_caddy: bool
) -> None:
    way = "through the shipped Caddy" if through_caddy else "directly"
    e8 = row(
        "E8", f"30 bodies of 5 MB to a limit of 1 MiB, all sent first, {way}", "29 of 30 reset"
    )
    service = start(slow_routes=True, max_body_bytes=1_048_576, max_upload_bytes=1_048_576)
    statuses = list[object]()
    with ExitStack() as stack:
        port = service.port
        if through_caddy:
            port = stack.enter_context(front(project, tmp_path, port))
        for _ in range(30):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/whole", b"x" * 5_000_000)
            try:
                urllib.request.urlopen(request, timeout=20).close()
            except urllib.error.HTTPError as error:
                statuses.append(error.code)
            except OSError as error:
                statuses.append(repr(error))

    e8.exactly("answers", statuses, [413] * 30)


def test_e10_clients_that_pipeline_and_leave_are_no_errors(start: Start, row: Begin) -> None:
    e10 = row("E10", "10 clients that pipeline and leave", "ten 500s with tracebacks")
    service = start(slow_routes=True)
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", service.port), 10) as client:
            client.sendall(b"GET /slow?seconds=5 HTTP/1.1\r\nHost: test\r\n\r\n" + whole(1) * 5)
            time.sleep(0.05)  # so that the first is running
    gone = 'http_response_status_code="499"'
    requests = "http_server_request_duration_seconds_count"
    baking.wait_until(lambda: service.metric(requests, gone) >= 10, 20)

    log = service.log.read_text()
    e10.at_least("counted as 499", service.metric(requests, gone), 10)
    e10.exactly("server errors", service.metric(requests, 'status_code="5'), 0)
    e10.exactly("errors in the log", log.count("Traceback") + log.count('"error",'), 0)


def test_e15_an_answer_that_a_deadline_cuts_is_a_server_error(start: Start, row: Begin) -> None:
    e15 = row("E15", "a stream that the time-out of requests cuts", "499: the client left")
    service = start(slow_routes=True, request_seconds=0.5, log_format="json")

    answer = raw(service.port, b"GET /stream HTTP/1.1\r\nHost: test\r\n\r\n", wait_seconds=20)

    requests = "http_server_request_duration_seconds_count"
    baking.wait_until(lambda: '"route":"/stream"' in service.log.read_text(), 10)
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if "{" in line]
    [line] = [line for line in lines if line.get("event") == "request"]
    e15.exactly("the head said", answer[9:12], b"200")
    e15.exactly("status and outcome", (line["status"], line["outcome"]), (503, "deadline"))
    e15.exactly("counted as 503", service.metric(requests, 'status_code="503"'), 1)
    warned = [line for line in lines if line["level"] == "warning" and "was cut" in str(line)]
    e15.exactly("warnings", len(warned), 1)
