"""Allowed hosts, and the proxies whose headers are trusted."""

from collections.abc import AsyncIterator
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import URL
from starlette.types import Receive, Scope, Send

from tests.engine.applications import connect, install
from vitals import testing
from vitals.security.hosts import OTHER, judge_by


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.get("/items")(lambda: "all")
    hosts = ("api.example.com", "*.example.org")
    async with testing.client(install(app, allowed_hosts=hosts, environment="local")) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    [
        *("api.example.com", "API.example.com:8443", "one.example.org", "a.b.example.org"),
        *("api.example.com.", "one.example.org.:443", "api.example.com:0"),
    ],
)
async def test_an_allowed_host_is_answered(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/items", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("10.0.0.7:8000", "example.org", "api.example.com.evil.net", "evilexample.org", ""),
        *("[::1]", "api.example.com..", ".example.org", "*.example.org"),
    ],
)
async def test_any_other_host_is_400(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/items", headers={"host": host})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert host not in answer.text or not host


INVALID = [
    "evil.org/.example.org",
    "evil.org#.example.org",
    "evil.org?.example.org",
    "evil.org\\.example.org",
    "evil.org,one.example.org",
    "user@one.example.org",
    "api.example.com:x",
    "api.example.com:",
    "api.example.com:65536",
    "api.example.com:1:2",
    " api.example.com",
    "api .example.com",
    "api.example.com\u00e9",
    "%61pi.example.com",
    "[::1",
    "[1:2]",
    "a" * 261,
]


@pytest.mark.parametrize("host", INVALID)
@pytest.mark.parametrize("allowed", [("api.example.com", "*.example.org"), ()])
@pytest.mark.parametrize("path", ["/items", "/livez", "/items/"])
async def test_a_host_that_is_not_valid_is_400_and_in_no_redirect(
    host: str, allowed: tuple[str, ...], path: str
) -> None:
    app = FastAPI()
    app.get("/items")(lambda: "all")

    async with testing.client(install(app, allowed_hosts=allowed)) as client:
        answer = await client.get(path, headers={b"host": host.encode("latin-1")})

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("no valid host")


@pytest.mark.parametrize("host", ["any.example.net", "127.0.0.1:8000", "[::1]:8000", "under_score"])
async def test_without_allowed_hosts_every_valid_one_is_answered(host: str) -> None:
    app = FastAPI()
    app.get("/items")(lambda: "all")

    async with testing.client(install(app)) as client:
        answers = [await client.get(path, headers={"host": host}) for path in ("/items", "/items/")]

    assert [answer.status_code for answer in answers] == [200, 307]
    assert answers[1].headers["location"] == f"http://{host}/items"


async def test_two_hosts_in_one_request_are_400(client: httpx.AsyncClient) -> None:
    hosts = [("host", "api.example.com"), ("host", "api.example.com")]

    assert (await client.get("/items", headers=hosts)).status_code == 400


@pytest.mark.parametrize("letters", [b"abcd.example.org", b"abcdefgh.example"])
def test_an_address_whose_bytes_spell_an_allowed_name_is_refused(letters: bytes) -> None:
    host = f"[{IPv6Address(letters)}]".encode()

    assert judge_by(("*.example.org", "abcdefgh.example"))(host) is OTHER


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_probes_and_scrapers_may_ask_by_address(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers={"host": "10.0.0.7:8000"})).status_code == 200


@pytest.mark.parametrize(("version", "status"), [("1.0", 200), ("1.1", 400)])
async def test_only_a_probe_of_http_1_0_may_name_no_host(version: str, status: int) -> None:
    """As haproxy's httpchk sends it; RFC 9112, 3.2, requires one in HTTP/1.1 only."""
    app = install(FastAPI(), allowed_hosts=("api.example.com",))

    async def without_host(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "headers": [], "http_version": version}, receive, send)

    transport = httpx.ASGITransport(without_host)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/livez")).status_code == status
        assert (await client.get("/items")).status_code == 400


async def test_a_websocket_for_another_host_is_refused() -> None:
    app = FastAPI()

    @app.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()

    install(app, allowed_hosts=("api.example.com",))
    kinds = {
        host: [message["type"] for message in await connect(app, "/socket", {"host": host})]
        for host in ("api.example.com", "evil.example.net")
    }

    assert kinds["api.example.com"][0] == "websocket.accept"
    assert kinds["evil.example.net"][0] == "websocket.http.response.start"


async def test_no_number_of_hosts_takes_memory_without_end() -> None:
    judge: Any = judge_by(("*.example.org",))

    assert {judge(b"h%d.example.org" % number) for number in range(2_000)} == {None}
    assert judge.cache_info().currsize <= 1_000


ANY_TEXT = st.text(st.characters(max_codepoint=255), max_size=20)


@given(before=ANY_TEXT, after=ANY_TEXT)
def test_only_a_name_below_an_allowed_one_passes_whatever_is_put_around_it(
    before: str, after: str
) -> None:
    host = f"{before}.example.org{after}"
    if judge_by(("*.example.org",))(host.encode("latin-1")) is None:
        url = urlsplit(f"http://{host}/items")  # as another reader sees it
        assert (url.hostname or "").removesuffix(".").endswith(".example.org")
        assert (url.path, url.query, url.fragment, url.username) == ("/items", "", "", None)
        assert url.port is None or url.port <= 65_535


@given(
    host=st.from_regex(r"(\[[0-9a-f:.]{0,20}\]|[a-z0-9_.-]{0,20})(:[0-9]{0,6})?", fullmatch=True)
)
def test_the_framework_can_read_every_host_that_is_allowed(host: str) -> None:
    """Otherwise it would put the server's own address into a redirect."""
    if judge_by(())(host.encode()) is None:
        scope = {"headers": [(b"host", host.encode())], "server": ("10.0.0.7", 8000), "path": "/"}

        assert URL(scope=scope | {"scheme": "https"}).netloc == host


FORWARDED = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}


async def redirect(came_from: str, trusted: str) -> str:
    """Where a client is redirected to that asked with a slash too many."""
    app = install(FastAPI(), trusted_proxies=trusted)
    transport = httpx.ASGITransport(app, client=(came_from, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.internal") as client:
        return (await client.get("/livez/", headers=FORWARDED)).headers["location"]


async def test_a_trusted_proxy_decides_on_the_scheme() -> None:
    assert (await redirect("10.1.2.3", "10.0.0.0/8")).startswith("https://")


@pytest.mark.parametrize(
    ("came_from", "trusted"),
    [("192.0.2.1", "10.0.0.0/8"), ("10.1.2.3", ""), ("10.1.2.3", "10.0.0.1")],
)
async def test_anyone_else_does_not(came_from: str, trusted: str) -> None:
    assert (await redirect(came_from, trusted)).startswith("http://")
