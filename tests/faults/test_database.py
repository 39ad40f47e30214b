"""Faults of the database: how fast they are reported, and what clients get."""

import time
from collections.abc import Callable
from itertools import count

import pytest

from tests import baking
from tests.databases import servers as databases
from tests.faults.client import Answer, Client, all_at_once, crowd
from tests.faults.proxy import between
from tests.faults.servers import Server
from tests.faults.service import Service
from tests.faults.table import Row

Start = Callable[..., Service]
Begin = Callable[..., Row]
MISSING = "/items/1000000"  # is not in the cache


class Watched:
    """The answers of a service's probes, and their times."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.slowest_ms = 0.0
        self.liveness: set[int] = set()
        self.failing: list[str] = []

    def until_readiness_is(self, status: int, within_seconds: float) -> float:
        """Call both probes in turn; return the seconds until readiness is as given."""
        started = time.monotonic()

        def reached() -> bool:
            ready, alive = self.service.ask("/readyz"), self.service.ask("/livez")
            self.slowest_ms = max(self.slowest_ms, ready.ms, alive.ms)
            self.liveness.add(alive.status)
            self.failing = ready.json().get("failing", [])
            return ready.status == status

        baking.wait_until(reached, within_seconds)
        return time.monotonic() - started


def test_r4_and_r6_a_stopped_database_and_its_return_are_reported(
    start: Start, row: Begin, database: Server
) -> None:
    r4 = row("R4", "database stopped", '200 `{"ok":true}`, or a bare 500')
    r6 = row("R6", "stopped database comes back")
    probes = Watched(start())

    database.stop()
    r4.at_most("503 after", probes.until_readiness_is(503, 20) * 1000, 2_000)
    r4.exactly("database named", "database" in probes.failing, True)
    item = probes.service.ask(MISSING)
    r4.exactly("a read", (item.status, item.json()["retry_safe"]), (503, True))
    r4.exactly("liveness", probes.liveness, {200})

    database.start()
    r6.at_most("ready after", probes.until_readiness_is(200, 20) * 1000, 1_500)
    r4.at_most("slowest probe", probes.slowest_ms, 50)
    r6.exactly("a read", probes.service.ask(MISSING).status, 404)


class Restarted:
    """The reads of eight clients while a server restarts: when each began, and its result."""

    def __init__(self, service: Service) -> None:
        self.seen: list[tuple[float, str]] = []
        self._service = service

    def around(self, restart: Callable[[], None], is_back: Callable[[], bool]) -> None:
        """Keep asking until the server is back, and for 200 reads more."""
        with crowd(8, self._service.port, self._read, pause_seconds=0.01) as reads:
            baking.wait_until(lambda: len(self.seen) > 50, 20)
            restart()
            baking.wait_until(is_back, 20)
            self.back = time.monotonic()
            baking.wait_until(lambda: len(self.after()) > 200, 40)
        self.seen += [(0, failure) for failure in reads.failures]

    def after(self) -> list[str]:
        return [result for began, result in self.seen if began > self.back]

    def _read(self, client: Client) -> Answer:
        began = time.monotonic()
        answer = client.ask(MISSING)
        is_asked_again = answer.status == 503 and answer.json()["retry_safe"]
        self.seen.append((began, "again" if is_asked_again else str(answer.status)))
        return answer


def test_r17_a_restart_of_the_database_loses_no_request(
    start: Start, row: Begin, database: Server
) -> None:
    r17 = row("R17", "database restarts under 8 clients")
    service = start(cache_url="mem://")
    reads = Restarted(service)

    def restart() -> None:
        database.stop()
        database.start()

    reads.around(restart, lambda: databases.answers(database.url))

    r17.exactly("answers", {result for _, result in reads.seen} - {"again"}, {"404"})
    r17.exactly("refused after its return", set(reads.after()), {"404"})


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_r17_a_restart_of_a_pooler_loses_no_request_and_is_reported(
    start: Start, row: Begin, database: Server, mode: str
) -> None:
    r17 = row("R17", f"PgBouncer restarts under 8 clients, {mode} mode")
    password = database.url.partition("://app:")[2].partition("@")[0]
    with (
        databases.scratch() as folder,
        databases.bouncer(folder / mode, database.port, mode, password) as bouncer,
    ):
        url = database.url.replace(f":{database.port}/", f":{bouncer.port}/")
        service = start(database_url=url, cache_url="mem://")
        reads, probes = Restarted(service), Watched(service)

        def restart() -> None:
            bouncer.stop()
            r17.at_most("503 after", probes.until_readiness_is(503, 20) * 1000, 2_000)
            bouncer.start()
            r17.at_most("ready after", probes.until_readiness_is(200, 20) * 1000, 2_000)

        reads.around(restart, lambda: databases.answers(url))

    r17.exactly("answers", {result for _, result in reads.seen} - {"again"}, {"404"})
    r17.exactly("refused after its return", set(reads.after()), {"404"})


def test_r5_and_r6_a_hanging_database_delays_no_probe(
    start: Start, row: Begin, database: Server
) -> None:
    r5 = row("R5", "database hangs (SIGSTOP)", "no answer in 20 s")
    r6 = row("R6", "hanging database goes on")
    probes = Watched(start())

    database.freeze()
    r5.at_most("503 after", probes.until_readiness_is(503, 20) * 1000, 2_500)
    r5.exactly("database named", "database" in probes.failing, True)
    r5.exactly("liveness", probes.liveness, {200})

    database.thaw()
    r6.at_most("ready after", probes.until_readiness_is(200, 20) * 1000, 1_500)
    r5.at_most("slowest probe", probes.slowest_ms, 50)


def test_r8_requests_on_a_hanging_database_are_answered_in_time(
    start: Start, row: Begin, database: Server
) -> None:
    r8 = row("R8", "40 requests on a hanging database", "0 of 40 in 10 s")
    service = start(request_seconds=2)

    database.freeze()
    with crowd(1, service.port, lambda c: c.ask("/livez"), pause_seconds=0.05) as others:
        reads = all_at_once(40, lambda n: service.ask(f"{MISSING}{n}"))
    database.thaw()

    r8.exactly("unanswered", len(reads.failures), 0)
    r8.exactly("statuses", {a.status for a in reads.answers}, {503})
    retries = {(a.json()["retry_safe"], a.headers["retry-after"]) for a in reads.answers}
    r8.exactly("retry_safe, Retry-After", retries, {(True, "1")})
    r8.at_most("slowest", reads.slowest_ms(), 2_500)
    r8.at_most("slowest on other routes", others.slowest_ms(), 50)


def test_r15_an_exhausted_pool_is_reported_by_its_check(
    start: Start, row: Begin, database: Server
) -> None:
    r15 = row("R15", "pool exhausted by slow requests")
    with between(database.port) as proxy:
        url = database.url.replace(f":{database.port}/", f":{proxy.port}/")
        service = start(database_url=url, database_pool_size=2, cache_url="mem://")
        service.ask("/items")
        proxy.delay_seconds = 0.2
        pages = count()  # each of its own: the cache has none of them

        with crowd(10, service.port, lambda c: c.ask(f"/items?after={next(pages)}")) as reads:
            baking.wait_until(lambda: service.checks()["pool"] == "warn", 20)
            r15.exactly("pool", service.checks()["pool"], "warn")
            r15.exactly("readiness", service.ask("/readyz").status, 200)
        proxy.delay_seconds = 0

        baking.wait_until(lambda: service.checks()["pool"] == "pass", 20)
    r15.exactly("failed", len(reads.failed()), 0)


def test_r16_clients_that_disconnect_leak_no_connection(
    start: Start, row: Begin, database: Server
) -> None:
    r16 = row("R16", "200 clients go away in mid-request", "counted as 500")
    with between(database.port) as proxy:
        url = database.url.replace(f":{database.port}/", f":{proxy.port}/")
        service = start(database_url=url, cache_url="mem://", log_format="json")
        service.ask("/items")
        proxy.delay_seconds = 0.3

        for first in range(0, 200, 20):
            clients = [Client(service.port) for _ in range(20)]
            for number, client in enumerate(clients):
                client.send(f"{MISSING}{first + number}")
            baking.wait_until(lambda: service.metric("db_client_connections_in_use") > 0, 10)
            for client in clients:
                client.close()
        proxy.delay_seconds = 0
        in_use = "db_client_connections_in_use"
        baking.wait_until(lambda: service.metric(in_use) == 0, 20)

        count = "http_server_request_duration_seconds_count"
        server_errors = service.metric(count, 'status_code="5')
        r16.exactly("connections leaked", int(service.metric(in_use)), 0)
        r16.exactly("server errors", int(server_errors), 0)
        gone = service.metric(count, 'status_code="499"')
        r16.at_least("counted as 499", gone, 150)
        r16.exactly("a read after it", service.ask(MISSING).status, 404)
