"""Faults of the cache: they cost time and nothing else."""

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests import baking
from tests.faults.client import Answer, Client
from tests.faults.proxy import Proxy, between
from tests.faults.servers import Server
from tests.faults.service import Service
from tests.faults.table import Row

Start = Callable[..., Service]
Begin = Callable[..., Row]
Fault = Callable[[Server, Proxy], AbstractContextManager[None]]
READS = 20
HIT = 'result="hit"'


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
    with socket.create_connection(("127.0.0.1", cache.port), 5) as connection:
        connection.sendall(words + b"\r\n")
        assert connection.recv(100).startswith(b"+OK")


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
