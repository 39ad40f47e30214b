"""The status page of a generated service in a browser: faults, updates, accessibility.

Tests that need no service are in test_page_drawing.py.
"""

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page

from tests.faults import proxy
from tests.faults.servers import Server
from tests.faults.service import OPS_TOKEN, Service

SCREEN, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
SEEDED = ["coffee", "tea", *["biscuit"] * 10]  # enough for an N+1
VISIBLE_WITHIN_SECONDS = 3.0  # a goal; asserted at four times that
FIRST_PAINT_MS = 300
MAX_BYTES = 60_000
Start = Callable[..., Service]


class Tab:
    """An open page, and every error in its console."""

    def __init__(self, browser: Browser, service: Service, **options: Any) -> None:
        credentials = {"username": "operator", "password": OPS_TOKEN}
        self.context = browser.new_context(
            http_credentials=credentials, **{"viewport": SCREEN, **options}
        )
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.requested: set[str] = set()
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requested.add(request.url))
        self.url = f"http://127.0.0.1:{service.port}/status"
        self.page.goto(self.url)

    def sentence(self) -> str:
        return self.page.inner_text("#sentence")

    def wait_for(self, sentence: str, within_seconds: float = 30) -> float:
        """Wait until the page shows it; return how many seconds it took."""
        begun = time.monotonic()
        found = self.page.locator("#sentence", has_text=sentence)
        found.wait_for(timeout=within_seconds * 1000)
        return time.monotonic() - begun

    def first_screen(self) -> str:
        """The diagnosis, which must be visible without scrolling."""
        diagnosis = self.page.locator(".diagnosis")
        box = diagnosis.bounding_box()
        assert box is not None
        size = self.page.viewport_size
        assert size is not None
        assert box["y"] + box["height"] <= size["height"], "scrolling is needed"
        return diagnosis.inner_text()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    tabs: list[Tab] = []

    def tab(service: Service, **options: Any) -> Tab:
        tabs.append(Tab(browser, service, **options))
        return tabs[-1]

    yield tab
    for each in tabs:
        each.context.close()
    assert [error for each in tabs for error in each.errors] == []
    expected = {each.url + ending for each in tabs for ending in ("", ".json")}
    assert {url for each in tabs for url in each.requested} <= expected


def test_it_is_small_and_quick_to_paint_and_requests_nothing_from_elsewhere(start: Start, tab):
    page = tab(start()).page
    page.locator("#live", has_text="Live").wait_for()

    size = page.evaluate("performance.getEntriesByType('navigation')[0].decodedBodySize")
    paint_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")

    print(f"page {size} bytes, first paint after {paint_ms:.0f} ms")
    assert size <= MAX_BYTES
    assert paint_ms <= 4 * FIRST_PAINT_MS


def test_a_visitor_without_the_token_sees_nothing(start: Start, browser: Browser):
    service = start()
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):  # asked, not answered
            page.goto(f"http://127.0.0.1:{service.port}/status")

        assert page.locator("#sentence").count() == 0


def test_an_open_page_shows_that_a_dependency_fails_and_recovers(
    start: Start, tab, database: Server
):
    page = tab(start())
    page.wait_for("Healthy")

    database.stop()
    gone = page.wait_for('Out of service: required check "database" is failing')
    database.start()
    back = page.wait_for("Healthy")

    print(f"database down: on the page after {gone:.1f} s; up: after {back:.1f} s")
    assert gone <= 4 * VISIBLE_WITHIN_SECONDS
    assert back <= 4 * VISIBLE_WITHIN_SECONDS
    assert page.page.locator("#changes tr").count() >= 2


def test_a_stopped_process_leaves_a_page_that_is_marked_as_stale(start: Start, tab):
    service = start()
    page = tab(service)
    page.wait_for("Healthy")

    service.stop()

    stale = page.page.locator("#live", has_text="the data below is stale")
    stale.wait_for(timeout=20_000)
    page.errors.clear()  # the browser's own messages about a server that does not answer


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [SCREEN, PHONE], ids=["screen", "phone"])
def test_it_is_accessible_in_both_schemes_and_on_a_phone(start: Start, tab, scheme: str, screen):
    service = start(database_url="sqlite:///missing/away.db")  # so that much is shown
    for path in ("/items", "/reports/prices", "/reports/sales"):
        service.ask(path)
    view = tab(service, viewport=screen, color_scheme=scheme)
    page = view.page
    page.locator("#live", has_text="Live").wait_for()
    assert view.errors == []

    found = Axe().run(page)
    view.errors.clear()  # the policy also forbids the inline styles of axe
    page.keyboard.press("Tab")
    reached = {page.evaluate("document.activeElement.getAttribute('aria-labelledby')")}
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('aria-labelledby')"))

    assert found.violations_count == 0, found.generate_report()
    assert {"checks-title", "routes-title", "changes-title"} <= reached
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]


@contextlib.contextmanager
def database_down(world: "World") -> Iterator[None]:
    world.database.stop()
    yield


@contextlib.contextmanager
def database_slow(world: "World") -> Iterator[None]:
    world.proxied.delay_seconds = 0.08  # before each of its answers
    for number in range(5):
        world.send(f"/items/{9_000 + number}", 1)
    yield


@contextlib.contextmanager
def cache_away(world: "World") -> Iterator[None]:
    world.cache.freeze()
    yield


@contextlib.contextmanager
def route_errs(world: "World") -> Iterator[None]:
    world.run("ALTER TABLE items RENAME TO elsewhere")
    world.send("/items", 5)
    yield
    world.run("ALTER TABLE elsewhere RENAME TO items")


@contextlib.contextmanager
def n_plus_one(world: "World") -> Iterator[None]:
    world.send("/reports/prices", 3)
    yield


@contextlib.contextmanager
def draining(world: "World") -> Iterator[None]:
    world.service.signal(signal.SIGTERM)
    yield


class World:
    """A service with its servers, and a proxy that can slow its database down."""

    def __init__(self, start: Start, proxied: proxy.Proxy, database: Server, cache: Server) -> None:
        self.proxied, self.database, self.cache = proxied, database, cache
        url = database.url.replace(f":{database.port}", f":{proxied.port}")
        self.service = start(database_url=url, drain_seconds=30)
        for name in SEEDED:
            assert self.service.ask("/items", "POST", {"name": name, "price": 1}).status == 201

    def send(self, path: str, times: int) -> None:
        for _ in range(times):
            self.service.ask(path)

    def run(self, statement: str) -> None:
        """Run a statement beside the service, with the project's own driver."""
        code = f"""
import asyncio, asyncpg
async def main():
    connection = await asyncpg.connect({self.database.url!r})
    await connection.execute({statement!r})
    await connection.close()
asyncio.run(main())
"""
        subprocess.run([self.service.process.args[0], "-c", code], check=True)


FAULTS = {
    database_down: ('Out of service: required check "database" is failing', "server"),
    database_slow: ("/items/{item_id} waits for the database", "slow statement"),
    cache_away: ('check "cache" is failing', "No request"),
    route_errs: ("Degraded: /items returns server errors", "Search the log for a request ID"),
    n_plus_one: ("/reports/prices repeats a database statement", "with one statement"),
    draining: ("Out of service: the process is draining", "Do nothing during a deployment"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("screen", [SCREEN, PHONE], ids=["screen", "phone"])
def test_the_first_screen_shows_what_is_wrong_since_when_and_what_to_do(
    start: Start, tab, database: Server, cache: Server, fault, screen
):
    sentence, remedy = FAULTS[fault]
    with proxy.between(database.port) as proxied:
        world = World(start, proxied, database, cache)
        page = tab(world.service, viewport=screen)
        with fault(world):
            page.wait_for(sentence)
            text = page.first_screen()

    assert re.search(r"Since \d\d:\d\d:\d\d UTC, \d+ \w+ ago: \S", text), text
    assert remedy in text
    assert "See RUNBOOK.md" in text
