"""/status and /status.json: self-contained, bounded, escaped, for operators only."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from tests.engine.status.made_up import TOKEN, MadeUp
from vitals.health.checks import CheckState
from vitals.observability.access_log import AccessLog
from vitals.request_stats import RequestStats

EMBEDDED = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
EVIL = "</script><script>alert('&amp;\u2028')</script>"


@asynccontextmanager
async def client_of(page: MadeUp, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(page.app(**options))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


async def text_of(page: MadeUp) -> str:
    async with client_of(page) as client:
        return (await client.get("/status")).text


async def data_of(page: MadeUp) -> Any:
    async with client_of(page) as client:
        return (await client.get("/status.json")).json()


def embedded(text: str) -> Any:
    """The data in a page."""
    (data,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL
    )
    return json.loads(data)


class Elements(HTMLParser):
    """The start tags of a page, and which of its elements were not closed."""

    VOID = ("meta", "link")

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


async def test_the_page_embeds_the_data_of_status_json() -> None:
    page = MadeUp(CheckState("database", True, False, "refused"))
    page.counted.request("/items", calls=2)

    first, second = embedded(await text_of(page)), await data_of(page)

    changing = {"at", "routes", "findings", "gauges"}  # rates and times move on
    assert {k: v for k, v in first.items() if k not in changing} == {
        k: v for k, v in second.items() if k not in changing
    }
    assert first.keys() == second.keys()
    assert first["routes"][0]["db_calls"] == second["routes"][0]["db_calls"] == 2


async def test_hostile_text_in_the_data_cannot_end_its_script_element() -> None:
    page = MadeUp(CheckState("database", True, False, EVIL), settings={"APP_X": EVIL})
    page.counted.request(f"/{EVIL}")
    page.recent_errors.failed("GET", EVIL, 500, EVIL, EVIL)
    page.recent_errors.repeated(EVIL, EVIL, 12, EVIL)

    text = await text_of(page)

    assert [tag for tag, _ in Elements(text).tags].count("script") == 2
    assert "alert" not in EMBEDDED.sub("", text)
    assert not set("<>&\u2028") & set(EMBEDDED.findall(text)[0])
    assert embedded(text)["settings"]["APP_X"] == EVIL


async def test_the_page_loads_nothing_and_every_element_is_closed() -> None:
    elements = Elements(await text_of(MadeUp(CheckState("cache", False, True))))

    links = [a.get("src") or a.get("href") for _, a in elements.tags if "src" in a or "href" in a]
    assert set(links) == {"data:,", "status.json"}
    assert elements.open == []


async def test_the_policy_allows_only_this_answers_own_style_and_script() -> None:
    async with client_of(MadeUp()) as client:
        answers = [await client.get("/status") for _ in range(2)]

    nonces = [re.findall(r'nonce="([^"]+)"', answer.text) for answer in answers]
    assert nonces[0] != nonces[1]
    for answer, (style, script) in zip(answers, nonces, strict=True):
        assert style == script
        policy = answer.headers["Content-Security-Policy"]
        assert policy.count(f"'nonce-{style}'") == 2
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy


async def test_neither_answer_is_stored() -> None:
    async with client_of(MadeUp(), prefix="/internal") as client:
        answers = [await client.get(f"/internal/{path}") for path in ("status", "status.json")]

    assert [answer.status_code for answer in answers] == [200] * 2
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


async def test_the_answers_stay_small_however_much_there_is_to_report() -> None:
    page = MadeUp(
        *(CheckState(f"check-{n}", False, False, "r" * 200) for n in range(12)),
        sections={
            f"section {n}": lambda: dict.fromkeys(map(str, range(100)), "v" * 999) for n in range(2)
        },
    )
    for number in range(100):
        page.counted.request(f"/a/rather/long/path/of/a/route/{number}", 0.01 * number, calls=3)
        page.recent_errors.failed("DELETE", f"/route/{number}", 500, "ValueError", "i" * 64)
        page.recent_errors.repeated(f"/route/{number}", "SELECT " + "x" * 5_000, 40, "i" * 64)
    for _ in range(60):
        page.counted.history.update()
        page.counted.history.advance()
        for number in range(20, 40):
            route = f"/a/rather/long/path/of/a/route/{number}"
            page.counted.request(route, 0.01 * number, 500, calls=3)

    text = await text_of(page)

    print(len(text.encode()), "bytes")
    assert len(text.encode()) <= 90_000
    assert embedded(text)["routes_not_shown"] == 5


async def test_only_operators_see_it_and_a_browser_is_asked_for_the_token() -> None:
    async with client_of(MadeUp(), allow_all=False) as client:
        stranger = await client.get("/status")
        data = await client.get("/status.json")
        basic = await client.get("/status", auth=("ops", TOKEN))
        bearer = await client.get("/status.json", headers={"Authorization": f"Bearer {TOKEN}"})

    assert (stranger.status_code, data.status_code) == (401, 401)
    assert stranger.headers["WWW-Authenticate"].startswith("Basic ")
    assert (basic.status_code, bearer.status_code) == (200, 200)


async def test_the_data_names_what_is_wrong_the_checks_the_routes_and_the_errors() -> None:
    page = MadeUp(CheckState("database", True, False, "refused", remedy="restart it"))
    page.counted.request("/items", calls=2)
    page.recent_errors.failed("GET", "/items", 500, "ValueError", "request-1")

    data = await data_of(page)

    assert data["status"] == "fail"
    assert data["sentence"] == 'Out of service: required check "database" is failing'
    assert data["findings"][0]["remedy"] == "restart it"
    assert [each["name"] for each in data["checks"]] == ["database"]
    assert data["routes"][0]["route"] == "/items"
    assert data["failures"][0]["request_id"] == "request-1"


async def test_a_healthy_service_says_so_with_the_number_of_its_checks() -> None:
    data = await data_of(MadeUp(CheckState("cache", False, True), CheckState("pool", False, True)))

    assert (data["status"], data["sentence"]) == ("pass", "Healthy: all 2 checks pass")


async def test_a_gauge_without_a_finite_value_does_not_break_the_data() -> None:
    page = MadeUp(db_client_connections_max=float("inf"), db_client_connections_in_use=2)

    data = await data_of(page)  # "Infinity" is not JSON: a browser refuses all of it

    assert data["gauges"]["db_client_connections_in_use"] == 2
    assert "db_client_connections_max" not in data["gauges"]


async def test_an_own_section_is_text_with_at_most_50_rows() -> None:
    page = MadeUp(sections={"Outbox": lambda: {f"row {n}": n * "long " for n in range(1_000)}})

    section = (await data_of(page))["sections"]["Outbox"]

    assert len(section) == 50
    assert section["row 1"] == "long "
    assert max(len(value) for value in section.values()) == 200


def failing() -> dict[str, object]:
    raise ConnectionRefusedError("to be kept from the page")


class Unprintable:
    def __str__(self) -> str:
        raise LookupError


@pytest.mark.parametrize(
    ("read", "error"),
    [(failing, "ConnectionRefusedError"), (lambda: {"a": Unprintable()}, "LookupError")],
)
async def test_a_section_that_raises_is_a_row_with_the_type_of_the_exception(
    read: Any, error: str
) -> None:
    page = MadeUp(sections={"Broken": read, "Fine": lambda: {"waiting": 3}})

    sections = (await data_of(page))["sections"]

    assert sections == {"Broken": {"error": error}, "Fine": {"waiting": "3"}}


async def test_a_failed_request_and_a_repeated_statement_are_reported_with_their_request_ids() -> (
    None
):
    page = MadeUp()
    log = AccessLog(
        page.counted.metrics,
        "json",
        "INFO",
        write=lambda _: None,
        recent_errors=page.recent_errors,
    )
    broken, repeating = RequestStats("request-broken"), RequestStats("request-repeating")
    broken.error = "ValueError"
    for _ in range(12):
        repeating.add("db", 1, "SELECT price FROM items WHERE id = ?")

    log.write(broken, "", "GET", "/breaks", 500, 0.01)
    log.write(repeating, "", "GET", "/repeats", 200, 0.01)

    data = await data_of(page)
    (failure,), (statement,) = data["failures"], data["repeats"]
    assert (failure["route"], failure["error"]) == ("/breaks", "ValueError")
    assert failure["request_id"] == "request-broken"
    assert (statement["route"], statement["times"]) == ("/repeats", 12)
    assert statement["request_id"] == "request-repeating"
    assert {row["route"]: row["error_share"] for row in data["routes"]}["/breaks"] == 1
