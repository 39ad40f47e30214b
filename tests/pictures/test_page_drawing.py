"""How a browser draws the status page of a made-up service: text, charts, updates, focus.

The page and its data come from the engine's routes, without a server.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Request, Route

from tests.engine.status.made_up import MadeUp
from vitals.health.checks import CheckState

EVIL = "</script><img src=x onerror=alert(1)><script>alert(1)</script>"
REQUEST_ID = "3f2c1ab94d6e4f0a"


class Tab:
    """A page of a made-up service; `down` is a process that does not answer."""

    def __init__(self, browser: Browser, made_up: MadeUp, prefix: str = "", **options: Any) -> None:
        self.made_up = made_up
        self.down = False
        self.status = 0
        self.requested: list[str] = []
        self.dialogs: list[str] = []
        self.errors: list[str] = []
        self._service = httpx.ASGITransport(made_up.app(prefix))
        self._thread = ThreadPoolExecutor(1)  # the browser's own loop runs in this one
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.dialogs.append(dialog.message))
        self.page.route("**/*", self._answer)
        self.page.goto(f"http://service{prefix}/status")

    def _answer(self, route: Route, request: Request) -> None:
        path = urlsplit(request.url).path
        self.requested.append(path)
        if self.down and path.endswith(".json"):
            route.abort("connectionrefused")
            return
        answer = self._thread.submit(asyncio.run, self._get(path)).result()
        headers = dict(answer.headers)
        route.fulfill(
            status=self.status or answer.status_code, headers=headers, body=answer.content
        )

    async def _get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._service, base_url="http://service") as client:
            return await client.get(path)

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def close(self) -> None:
        self.page.unroute_all(behavior="wait")
        self.context.close()
        self._thread.shutdown()

    def live(self, text: str) -> Locator:
        found = self.page.locator("#live", has_text=text)
        found.wait_for()
        return found

    def update(self) -> None:
        """Count one more request and wait until the page shows it."""
        self.made_up.counted.request("/counted")
        requests = sum(each.requests for each in self.made_up.counted.history.totals().values()) + 1
        self.page.wait_for_function(
            "expected => Number(document.querySelector('.facts dd').textContent) >= expected",
            arg=requests,
        )


@pytest.fixture
def tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    tabs: list[Tab] = []

    def tab(made_up: MadeUp, **options: Any) -> Tab:
        tabs.append(Tab(browser, made_up, **options))
        return tabs[-1]

    yield tab
    for each in tabs:
        each.close()
    assert [error for each in tabs for error in each.errors] == []


def test_hostile_text_is_shown_as_text_and_runs_nothing(tab):
    made_up = MadeUp(
        CheckState("cache", False, False, EVIL, remedy=EVIL),
        settings={EVIL: EVIL},
        sections={EVIL: lambda: {EVIL: EVIL}},
        runbook="javascript:alert(1)//",
    )
    made_up.counted.request(f"/{EVIL}", status=500)
    made_up.recent_errors.failed("GET", EVIL, 500, EVIL, EVIL)
    made_up.recent_errors.repeated(EVIL, EVIL, 12, EVIL)
    view = tab(made_up)
    view.live("Live")

    view.update()

    assert view.dialogs == []
    assert view.page.locator("img").count() == 0
    assert view.page.locator("script").count() == 2
    assert view.page.locator("main a").count() == 0
    for place in (".diagnosis", "#routes", "#repeats", "#failures", "#changes", "#settings"):
        assert EVIL in view.text(place), place
    assert EVIL in view.text("#section-0")
    assert EVIL in view.text("#section-0-title")


def test_the_first_paint_needs_the_page_only(tab):
    made_up = MadeUp(CheckState("database", True, False, "refused"))
    view = tab(made_up, java_script_enabled=True)

    assert view.requested[0] == "/status"
    assert view.page.evaluate("performance.getEntriesByType('resource').length") <= 1
    assert 'required check "database" is failing' in view.text("#sentence")
    assert view.page.title() == "✖ fail: Orders & <more>"


def test_under_a_prefix_it_reads_the_data_beside_it(tab):
    view = tab(MadeUp(), prefix="/internal")

    view.live("Live")

    assert set(view.requested) == {"/internal/status", "/internal/status.json"}
    link = view.page.locator("footer a").evaluate("link => link.href")
    assert link == "http://service/internal/status.json"


def test_without_javascript_it_says_where_the_data_is(tab):
    view = tab(MadeUp(), java_script_enabled=False)

    assert view.text("main") == "This page needs JavaScript. Its data is at status.json."


def test_a_chart_has_a_bar_for_each_slot_with_requests_and_a_foot_for_each_with_errors(tab):
    made_up = MadeUp()
    for slot in range(4):
        made_up.counted.history.update()
        made_up.counted.history.advance()
        if slot != 1:
            made_up.counted.request(
                "/items", seconds=0.02 * (slot + 1), status=500 if slot else 200
            )

    page = tab(made_up).page

    paths = {
        name: page.get_attribute(f"#routes svg .{name}", "d") for name in ("bar", "foot", "line")
    }
    assert paths["bar"].count("M") == 3
    assert paths["foot"].count("M") == 2
    assert (paths["line"].count("M"), paths["line"].count("L")) == (2, 1)  # a gap
    titles = page.locator("#routes svg title").all_text_contents()
    assert [title.partition(",")[0] for title in titles] == ["requests per second", "p95"]


def test_a_process_that_does_not_answer_leaves_a_stale_page_until_it_answers_again(tab):
    view = tab(MadeUp(CheckState("cache", False, True)))
    view.live("Live: updated every second.")

    view.down = True
    view.live("the data below is stale")

    assert view.page.locator("body.stale").count() == 1
    assert "Healthy" in view.text("#sentence")
    view.down = False
    view.live("Live: updated every second.")
    assert view.page.locator("body.stale").count() == 0


def test_an_answer_with_an_error_makes_the_page_stale_and_is_named(tab):
    view = tab(MadeUp())
    view.live("Live")

    view.status = 503

    assert "Snapshot taken at" in view.live("HTTP 503").inner_text()


def test_a_selected_request_id_stays_selected_while_errors_arrive(tab):
    made_up = MadeUp()
    made_up.recent_errors.failed("GET", "/items", 500, "ValueError", REQUEST_ID)
    view = tab(made_up)
    view.live("Live")
    view.page.locator("#failures code").select_text()

    for number in range(12):
        made_up.recent_errors.failed("GET", "/items", 500, "ValueError", f"later-{number}")
        if number in (0, 5):
            view.update()

    assert view.page.evaluate("getSelection().toString()") == REQUEST_ID
    ids = view.page.locator("#failures code").all_text_contents()
    assert ids == [*(f"later-{number}" for number in (5, 4, 3, 2, 1, 0)), REQUEST_ID]
    view.update()
    ids = view.page.locator("#failures code").all_text_contents()
    assert ids == [f"later-{number}" for number in range(11, 1, -1)]


def test_an_update_leaves_the_focus_and_what_a_screen_reader_announces_alone(tab):
    made_up = MadeUp(CheckState("cache", False, True))
    made_up.counted.request("/items")
    view = tab(made_up)
    view.live("Live")
    view.page.focus("[aria-labelledby=routes-title]")
    view.page.evaluate(
        "window.announced = 0;"
        "const count = (changes) => { window.announced += changes.length; };"
        "for (const region of document.querySelectorAll('[role=status]'))"
        "  new MutationObserver(count).observe("
        "    region, { childList: true, characterData: true, subtree: true });"
    )

    view.update()
    view.update()

    focused = view.page.evaluate("document.activeElement.getAttribute('aria-labelledby')")
    assert focused == "routes-title"
    assert view.page.evaluate("window.announced") == 0
    made_up.checks.known = [CheckState("cache", False, False, "away")]
    view.page.locator("#sentence", has_text='check "cache" is failing').wait_for()
    assert view.page.evaluate("window.announced") > 0


def test_the_runbook_is_a_link_to_its_heading_if_it_has_an_address(tab):
    made_up = MadeUp(CheckState("cache", False, False), runbook="https://wiki.example/runbook")

    link = tab(made_up).page.locator(".diagnosis a")

    assert link.get_attribute("href") == "https://wiki.example/runbook#cache"


def test_many_findings_and_an_own_section_are_accessible_and_fit_a_phone(tab):
    made_up = MadeUp(
        *(CheckState(f"check-{n}", False, False, "r" * 150) for n in range(8)),
        sections={"Outbox": lambda: {"a-name-without-a-break-" * 4: "v" * 150}},
    )
    made_up.counted.request("/" + "a-long-path/" * 12)
    made_up.recent_errors.failed("GET", "/" + "r" * 120, 500, "ValueError", "i" * 64)
    made_up.recent_errors.repeated("/orders", "SELECT " + "x" * 200, 40, "i" * 64)
    page = tab(made_up, viewport={"width": 360, "height": 740}).page
    page.locator("#live", has_text="Live").wait_for()

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
