"""Is the page complete in itself, small, safe, closed to others, and told of what fails?"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from fastapi import Depends, FastAPI

from app.main import create_app
from tests.client import client_of
from tests.unit.status.counted import Counted
from vitals import problems, request_stats
from vitals.health.checks import Checks, State
from vitals.security.operators import Operators
from vitals.settings import Settings
from vitals.status import routes
from vitals.status.recent_errors import Notes
from vitals.status.reporter import Watch

TOKEN = "a-token-for-operators"


class Known(Checks):
    """Checks that stand as a test wants them to."""

    def __init__(self, states: Sequence[State]) -> None:
        self._known = list(states)

    def states(self) -> list[State]:
        return self._known

    def changes(self) -> list[State]:
        return self._known


class Page:
    """The page of a service that a test has made up."""

    def __init__(self, *states: State, settings: dict[str, str] | None = None) -> None:
        self.counted = Counted()
        self.notes = Notes()
        self.watch = Watch(
            {"name": "Orders & <more>", "version": "v1.2.0"},
            settings or {},
            Known(states),
            self.counted.history,
            self.notes,
        )

    @asynccontextmanager
    async def client(self, *, open_to_all: bool = True) -> AsyncIterator[httpx.AsyncClient]:
        service = FastAPI()
        problems.install(service)
        guard = Operators(TOKEN, everybody=open_to_all)
        service.include_router(routes.router(self.watch), dependencies=[Depends(guard)])
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            yield client

    async def text(self) -> str:
        async with self.client() as client:
            return (await client.get("/status")).text


class Elements(HTMLParser):
    """The start tags of a page, and which of its elements were not closed."""

    VOID = ("meta", "link", "path")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


async def test_without_a_script_it_says_what_is_broken_since_when_and_what_to_do() -> None:
    text = await Page(
        State("database", True, False, "refused <b>", remedy="look at its server")
    ).text()

    assert "Out of service: the check database fails." in text
    assert re.search(
        r"Since <time datetime=[^>]*>\d\d:\d\d:\d\d UTC</time>, 0 s ago: refused", text
    )
    assert "look at its server More in RUNBOOK.md, “database”." in text


async def test_what_comes_from_elsewhere_is_text_and_never_markup() -> None:
    evil = "<script>alert(1)</script>"
    page = Page(State("database", True, False, evil), settings={"APP_X": evil})
    page.counted.request(f"/{evil}")
    page.notes.failed("GET", evil, 500, evil, evil)
    page.notes.repeated(evil, evil, 12, evil)

    text = await page.text()

    assert evil not in text
    assert [tag for tag, _ in Elements(text).tags].count("script") == 1


async def test_the_page_loads_nothing_and_every_element_is_closed() -> None:
    page = Page(State("cache", False, True))
    page.counted.request("/items")

    elements = Elements(await page.text())

    links = [a.get("src") or a.get("href") for _, a in elements.tags if "src" in a or "href" in a]
    assert links == ["data:,", "/status.json"]
    assert elements.open == []
    ids = [a["id"] for _, a in elements.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert all("id" in a for _, a in elements.tags if "data-live" in a)


async def test_the_policy_lets_only_this_answers_own_style_and_script_run() -> None:
    async with Page().client() as client:
        answers = [await client.get("/status") for _ in range(2)]

    nonces = [re.findall(r'nonce="([^"]+)"', answer.text) for answer in answers]
    assert nonces[0] != nonces[1]
    for answer, (style, script) in zip(answers, nonces, strict=True):
        assert style == script
        policy = answer.headers["Content-Security-Policy"]
        assert policy.count(f"'nonce-{style}'") == 2
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy


async def test_the_page_stays_small_however_much_there_is_to_tell() -> None:
    page = Page(*(State(f"check-{n}", False, False, "r" * 200) for n in range(12)))
    for number in range(100):
        page.counted.request(f"/a/rather/long/path/of/a/route/{number}", 0.01 * number, calls=3)
        page.notes.failed("DELETE", f"/route/{number}", 500, "ValueError", "i" * 64)
        page.notes.repeated(f"/route/{number}", "SELECT " + "x" * 5_000, 40, "i" * 64)
    for _ in range(60):
        page.counted.history.update()
        page.counted.history.advance()
        for number in range(20, 40):
            route = f"/a/rather/long/path/of/a/route/{number}"
            page.counted.request(route, 0.01 * number, 500, calls=3)

    text = await page.text()

    assert len(text.encode()) <= 60_000
    assert "faster routes: in status.json" in text


async def test_only_operators_see_it_and_a_browser_is_told_to_ask_for_the_token() -> None:
    async with Page().client(open_to_all=False) as client:
        stranger = await client.get("/status")
        data = await client.get("/status.json")
        basic = await client.get("/status", auth=("ops", TOKEN))
        bearer = await client.get("/status.json", headers={"Authorization": f"Bearer {TOKEN}"})

    assert (stranger.status_code, data.status_code) == (401, 401)
    assert stranger.headers["WWW-Authenticate"].startswith("Basic ")
    assert (basic.status_code, bearer.status_code) == (200, 200)


async def test_the_data_is_what_the_page_shows() -> None:
    page = Page(State("database", True, False, "refused"))
    page.counted.request("/items", calls=2)
    page.notes.failed("GET", "/items", 500, "ValueError", "request-1")

    async with page.client() as client:
        data = (await client.get("/status.json")).json()

    assert data["sentence"] == "Out of service: the check database fails."
    assert [each["name"] for each in data["checks"]] == ["database"]
    assert data["routes"][0]["route"] == "/items"
    assert data["routes"][0]["db_calls"] == 2
    assert data["failures"][0]["request_id"] == "request-1"


async def test_a_failure_and_a_repeated_statement_are_on_the_page_with_their_request_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    service = create_app(Settings(environment="local"))

    @service.get("/breaks")
    async def breaks() -> None:
        raise ValueError

    @service.get("/repeats")
    async def repeats() -> None:
        for _ in range(12):
            request_stats.add("db", 1, "SELECT price FROM items WHERE id = ?")

    async with client_of(service) as client:
        for path in ("/breaks", "/repeats"):
            await client.get(path, headers={"X-Request-ID": f"request-of{path.replace('/', '-')}"})
        data = (await client.get("/status.json")).json()

    (failure,), (statement,) = data["failures"], data["repeats"]
    assert (failure["route"], failure["error"]) == ("/breaks", "ValueError")
    assert failure["request_id"] == "request-of-breaks"
    assert (statement["route"], statement["times"]) == ("/repeats", 12)
    assert statement["request_id"] == "request-of-repeats"
    assert {row["route"]: row["error_share"] for row in data["routes"]}["/breaks"] == 1
    assert data["about"]["name"]
    assert data["settings"]["APP_ENVIRONMENT"] == "local"
    assert data["settings"]["APP_OPS_TOKEN"] == "**********"
