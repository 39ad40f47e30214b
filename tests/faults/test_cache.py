"""Faults of the cache: they cost time and nothing else."""

import asyncio
import json
import pickle
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import asyncpg
import pytest

from tests import baking
from tests.faults.client import Answer, Client, crowd, saturate
from tests.faults.proxy import Proxy, between
from tests.faults.servers import Server
from tests.faults.service import OPS_TOKEN, Project, Service
from tests.faults.table import Row

Start = Callable[..., Service]
Begin = Callable[..., Row]
Fault = Callable[[Server, Proxy], AbstractContextManager[None]]
READS = 20
HIT = 'result="hit"'
RESULTS = [f'result="{each}"' for each in ("miss", "error", "bypass")]


@contextmanager
def stopped(cache: Server, _: Proxy) -> Iterator[None]:
    cache.stop()
    yield
    cache.start()


@contextmanager
def hanging(cache: Server, _: Proxy) -> Iterator[None]:
    cache.freeze()
    yield
    cache.thaw()


@contextmanager
def mad(_: Server, proxy: Proxy) -> Iterator[None]:
    proxy.garbage = b"$99\r\nno such answer\r\n-\r\n"
    yield
    proxy.garbage = b""


@contextmanager
def full(cache: Server, _: Proxy) -> Iterator[None]:
    command(cache, b"CONFIG SET maxmemory-policy noeviction")
    command(cache, b"CONFIG SET maxmemory 1")
    yield
    command(cache, b"CONFIG SET maxmemory 0")


def command(cache: Server, words: bytes) -> None:
    """Send one command to the cache's server."""
    assert answer(cache, *words.split(b" ")).startswith(b"+OK")


def answer(cache: Server, *words: bytes) -> bytes:
    """What the cache's server answers to a command, as it comes."""
    sent = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)
    with socket.create_connection(("127.0.0.1", cache.port), 60) as connection:
        connection.sendall(sent)
        return connection.recv(65_536)


def keys(cache: Server) -> list[bytes]:
    """The keys of the service, without those that hold a generation."""
    listed = answer(cache, b"KEYS", b"*:items}:*").split(b"\r\n")
    return [line for line in listed if b":items}:" in line]


async def in_cents(database: Server, item_id: int) -> int:
    """The price of an item in the database."""
    connection = await asyncpg.connect(database.url)
    try:
        return await connection.fetchval("SELECT price_cents FROM items WHERE id = $1", item_id)
    finally:
        await connection.close()


class Shop:
    """One item that is read and changed again and again, and its wrong answers."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.price = 1.0
        self.path = client.ask("/items", "POST", self._item()).headers["location"]
        self.wrong: list[str] = []

    def _item(self) -> dict[str, object]:
        return {"name": "coffee", "price": self.price}

    def raise_price(self) -> float:
        self.price += 1
        return self._checked(self.client.ask(self.path, "PUT", self._item())).ms

    def read(self) -> float:
        """Read it; return the milliseconds."""
        return self._checked(self.client.ask(self.path)).ms

    def give_up(self, port: int, after_seconds: float) -> None:
        """Send a change and close the connection soon after."""
        item = json.dumps({"name": "coffee", "price": self.price + 1}).encode()
        head = f"PUT {self.path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(f"{head}Content-Length: {len(item)}\r\n\r\n".encode() + item)
            time.sleep(after_seconds)  # the fault's own moment

    def _checked(self, answer: Answer) -> Answer:
        if answer.status != 200 or answer.json()["price"] != self.price:
            self.wrong.append(f"{answer.status} {answer.body!r}, expected {self.price}")
        return answer


@pytest.mark.parametrize("fault", [stopped, hanging, mad, full], ids=lambda fault: fault.__name__)
def test_r11_a_cache_that_fails_only_costs_time(
    start: Start, row: Begin, cache: Server, fault: Fault
) -> None:
    r11 = row("R11", f"cache {fault.__name__}")
    with between(cache.port) as proxy:
        url = cache.url.replace(f":{cache.port}/", f":{proxy.port}/")
        service = start(cache_url=url)
        with Client(service.port) as client:
            shop = Shop(client)
            shop.read()
            usual_ms = statistics.median(shop.read() for _ in range(READS))
            with fault(cache, proxy):
                first_ms = max(shop.raise_price(), shop.read(), shop.read())
                baking.wait_until(lambda: service.checks()["cache"] == "warn", 20)
                known_ms = statistics.median(shop.read() for _ in range(READS))
                ready = service.ready()
                shop.raise_price()
            baking.wait_until(lambda: service.checks()["cache"] == "pass", 20)
            shop.read()

    r11.exactly("wrong answers", len(shop.wrong), 0)
    r11.at_most("first ones slower by", first_ms - usual_ms, 100)
    r11.at_most("once known slower by", known_ms - usual_ms, 5)
    r11.exactly("ready", ready, True)
    r11.exactly("tracebacks", service.log.read_text().count("Traceback"), 0)


def test_r11_a_cache_that_restarts_empty_is_filled_again(
    start: Start, row: Begin, cache: Server
) -> None:
    r11 = row("R11", "cache restarted empty")
    service = start()
    with Client(service.port) as client:
        shop = Shop(client)
        shop.read()
        cache.stop()
        cache.start()
        before = service.metric("cache_requests_total", HIT)

        def hits() -> float:
            shop.read()
            return service.metric("cache_requests_total", HIT) - before

        started = time.monotonic()
        baking.wait_until(lambda: hits() > 0, 20)

        r11.exactly("wrong answers", len(shop.wrong), 0)
        r11.at_most("hits again after", (time.monotonic() - started) * 1000, 1_500)


def test_r11_a_healthy_cache_is_healthy_at_any_number_of_connections(
    start: Start, row: Begin
) -> None:
    r11 = row("R11", "cache with 512 connections to the service", "394 errors of 1,577; 0.32")
    service = start(cache_ttl_seconds=3_600)
    with Client(service.port) as client:
        path = Shop(client).path
    saturate(service.port, path, 64, 1)
    loads = [(64, path), (512, path), (64, "/livez"), (512, "/livez")]
    before = {result: service.metric("cache_requests_total", result) for result in RESULTS}
    rounds = [
        [saturate(service.port, target, connections, 2) for connections, target in loads]
        for _ in range(5)
    ]
    totals = [[load.total() for load in loads] for loads in rounds]
    cached, plain = (statistics.median(t[i] / t[i + 1] for t in totals) for i in (0, 2))
    statuses = {status for loads in rounds for load in loads for status in load}
    bad = [service.metric("cache_requests_total", each) - before[each] for each in RESULTS]

    r11.exactly("statuses", statuses, {200})
    r11.exactly("misses, errors, bypasses", bad, [0, 0, 0])
    r11.exactly("check", service.checks()["cache"], "pass")
    r11.at_most("throughput with 64 to that", cached, 1.11, "times")
    r11.at_most("the same of /livez", plain, 1.11, "times")


LATE = """
import asyncio, sys, time, uvloop
from vitals import testing
from vitals.cache import Cache

async def main():
    cache, results = Cache(sys.argv[1], prefix="late"), []
    values = cache.values("late", int, ttl_seconds=60)
    async def load():
        return 1
    async def get():
        async with testing.cost() as cost:
            await values.get(1, load)
        results.append(cost.cache)
    await get()
    for _ in range(10):
        asking = [asyncio.create_task(get()) for _ in range(20)]
        await asyncio.sleep(0)
        time.sleep(0.2)  # nothing runs meanwhile: four times what an answer may take
        await asyncio.gather(*asking)
    await cache.close()
    print(*sorted(set(results[1:])))

(uvloop if sys.argv[2] == "uvloop" else asyncio).run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_r11_a_late_event_loop_is_no_failure_of_the_cache(
    project: Project, row: Begin, cache: Server, loop: str
) -> None:
    r11 = row("R11", f"an event loop that stands still for 200 ms, ten times: {loop}")
    command = [project.python, "-c", LATE, cache.url, loop]
    done = subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, timeout=60, check=False
    )

    r11.exactly("results", done.stdout.split(), ["hit"])


def test_r11_clearing_takes_the_same_time_among_many_foreign_keys(
    start: Start, row: Begin, cache: Server
) -> None:
    r11 = row("R11", "1.5 million foreign keys in the cache", "7.5 s; the check fails for ever")
    fill = b"for i = 1, 1500000 do redis.call('SET', 'foreign:' .. i, i) end return 1"
    assert answer(cache, b"EVAL", fill, b"0") == b":1\r\n"
    try:
        with between(cache.port) as proxy:
            service = start(cache_url=cache.url.replace(f":{cache.port}/", f":{proxy.port}/"))
            with Client(service.port) as client:
                shop = Shop(client)
                shop.read()

                def clear() -> float:
                    cleared = client.ask("/cache/items", "DELETE", token=OPS_TOKEN)
                    assert cleared.status == 200
                    return cleared.ms

                cleared_ms = statistics.median(clear() for _ in range(READS))
                with mad(cache, proxy):
                    shop.raise_price()
                before, lost = service.metric("cache_requests_total", HIT), time.monotonic()

                def hits() -> float:
                    shop.read()
                    return service.metric("cache_requests_total", HIT) - before

                baking.wait_until(lambda: hits() > 0, 20)
                used_ms = (time.monotonic() - lost) * 1000
    finally:
        answer(cache, b"FLUSHALL")

    r11.at_most("cleared in", cleared_ms, 50)
    r11.at_most("used again after a lost delete in", used_ms, 2_000)
    r11.exactly("wrong answers", len(shop.wrong), 0)


class Hostile:
    """A pickle that stops the process that reads it."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return exec, ("import os; os._exit(99)",)


PLANTED: dict[str, tuple[bytes, ...]] = {
    "a pickle": (b"SET", pickle.dumps(Hostile())),
    "an item of somebody else": (b"SET", b'{"id":1,"name":"planted","price":1}'),
    "a hash": (b"HSET", b"field", b"value"),
    "a list": (b"RPUSH", b"value"),
    "16 MB": (b"SET", b"x" * 2**24),
    "nothing": (b"SET", b""),
}


@pytest.mark.parametrize("where", ["value", "generation"])
def test_r11_what_others_write_under_our_keys_is_not_served(
    start: Start, row: Begin, cache: Server, where: str
) -> None:
    planted = ", ".join(PLANTED)
    r11 = row("R11", f"under the key of a {where}: {planted}", "the pickle is executed")
    answer(cache, b"FLUSHALL")
    service = start()
    with Client(service.port) as client:
        shop = Shop(client)
        shop.read()
        (key,) = keys(cache)
        key = key if where == "value" else key.rpartition(b":")[0].replace(b"}:", b"}#")
        for verb, *words in PLANTED.values():
            answer(cache, b"DEL", key)
            answer(cache, verb, key, *words)
            shop.read()
            hits = service.metric("cache_requests_total", HIT)

            def hit_again(hits: float = hits) -> bool:
                shop.read()
                return service.metric("cache_requests_total", HIT) > hits

            baking.wait_until(hit_again, 20)

    r11.exactly("wrong answers", len(shop.wrong), 0)
    r11.exactly("exit status", service.process.poll(), None)
    r11.exactly("tracebacks", service.log.read_text().count("Traceback"), 0)


def test_r11_requests_that_are_given_up_leave_nothing_stale(
    start: Start, row: Begin, cache: Server, database: Server
) -> None:
    r11 = row("R11", "300 changes, each given up at another moment")
    with between(cache.port) as proxy:
        service = start(cache_url=cache.url.replace(f":{cache.port}/", f":{proxy.port}/"))
        with Client(service.port) as client:
            shop = Shop(client)
            prices = set[float]()

            def stored() -> float:
                """The price in the database."""
                return asyncio.run(in_cents(database, int(shop.path.rpartition("/")[2]))) / 100

            def served() -> float:
                return client.ask(shop.path).json()["price"]

            for number in range(300):
                proxy.delay_seconds = number % 10 / 1000
                served()
                shop.give_up(service.port, after_seconds=number / 30_000)
                # a value whose delete was lost would stay for the 30 s of its lifetime
                baking.wait_until(lambda: served() == stored(), 10)
                shop.price = stored()
                prices.add(shop.price)
            proxy.delay_seconds = 0.0

    r11.at_least("changes that were stored", len(prices), 100)
    r11.exactly("answers that stayed stale", 0, 0)


def test_r11_a_restart_of_the_cache_loses_no_request_and_its_check_tells_it(
    start: Start, row: Begin, cache: Server
) -> None:
    r11 = row("R11", "cache restarted under load")
    service = start()
    with Client(service.port) as client:
        path = Shop(client).path
    with crowd(8, service.port, lambda c: c.ask(path), pause_seconds=0.002) as load:
        baking.wait_until(lambda: len(load.answers) > 200, 20)
        cache.stop()
        told_ms = _seconds_until(service, "warn") * 1000
        cache.start()
        seen_ms = _seconds_until(service, "pass") * 1000
        answered = len(load.answers)
        baking.wait_until(lambda: len(load.answers) > answered + 200, 20)

    r11.exactly("requests lost", len(load.failed()), 0)
    r11.at_most("told within", told_ms, 2_000)
    r11.at_most("told that it is back within", seen_ms, 2_000)


def _seconds_until(service: Service, status: str) -> float:
    began = time.monotonic()
    baking.wait_until(lambda: service.checks()["cache"] == status, 20)
    return time.monotonic() - began
