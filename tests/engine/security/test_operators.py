"""The guard of the operators' paths: anyone locally, elsewhere whoever presents the token."""

import base64
import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Depends, FastAPI

import vitals
from tests.engine.applications import Lines, install
from vitals import Settings, testing
from vitals.security import operators

TOKEN = "correct-horse-battery"
PATHS = ("/metrics", "/status", "/status.json")


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with testing.client(install(FastAPI(), ops_token=TOKEN)) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_of_the_operators_requires_the_token(
    client: httpx.AsyncClient, path: str
) -> None:
    assert (await client.get(path)).status_code == 401
    assert (await client.head(path)).status_code == 401
    assert (await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200


@pytest.mark.parametrize(
    "sent", [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic(f":{TOKEN}"), basic(f"anyone:{TOKEN}")]
)
async def test_the_token_is_accepted_as_bearer_and_as_the_password_of_basic(
    client: httpx.AsyncClient, sent: str
) -> None:
    assert (await client.get("/metrics", headers={"Authorization": sent})).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer wrong-horse-battery",
        f"Bearer {TOKEN}x",
        TOKEN,
        f"Token {TOKEN}",
        basic(TOKEN),
        basic(f"{TOKEN}:"),
        f"Basic {TOKEN}",
        "Basic ====",
        "Basic \u00fc",
    ],
)
async def test_anything_else_is_401_with_both_challenges(
    client: httpx.AsyncClient, sent: str
) -> None:
    answer = await client.get("/metrics", headers={b"Authorization": sent.encode()})

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Basic realm=" in answer.headers["www-authenticate"]
    assert "Bearer" in answer.headers["www-authenticate"]


async def test_locally_anyone_is_an_operator() -> None:
    async with testing.client(install(FastAPI(), environment="local")) as client:
        for path in PATHS:
            assert (await client.get(path)).status_code == 200


DEFAULT = Settings.model_fields["ops_token"].default.get_secret_value()


@pytest.mark.parametrize("sent", ["", "Bearer ", "Basic ====", basic(":"), f"Bearer {DEFAULT}"])
async def test_without_settings_and_without_a_token_nobody_is_an_operator(sent: str) -> None:
    app = FastAPI()
    vitals.install(app)

    async with testing.client(app) as client:
        answer = await client.get("/metrics", headers={"Authorization": sent})

    assert answer.status_code == 401


WRONG = {"Authorization": "Bearer wrong-horse-battery"}
RIGHT = {"Authorization": f"Bearer {TOKEN}"}


def from_address(app: FastAPI, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def statuses(app: FastAPI, address: str, times: int) -> list[int]:
    async with from_address(app, address) as client:
        return [(await client.get("/metrics", headers=WRONG)).status_code for _ in range(times)]


def failures(metrics: str) -> int:
    found = re.search(r"^operator_login_failures_total (\d+)$", metrics, re.MULTILINE)
    assert found is not None
    return int(found[1])


async def test_after_10_wrong_tokens_from_an_address_another_wrong_one_is_429() -> None:
    app = install(FastAPI(), ops_token=TOKEN)

    assert await statuses(app, "192.0.2.1", 12) == [401] * 10 + [429] * 2
    assert await statuses(app, "192.0.2.2", 1) == [401]
    async with from_address(app, "192.0.2.1") as client:
        refused = await client.get("/status", headers=WRONG)
        without = await client.get("/status")
        right = await client.get("/metrics", headers=RIGHT)
        health = await client.get("/health", headers=WRONG)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["retry_safe"] is True
    assert (without.status_code, "www-authenticate" in without.headers) == (401, True)
    assert (right.status_code, failures(right.text)) == (200, 14)
    assert "changes" not in health.json()  # what anyone sees, without a refusal


async def test_a_minute_later_wrong_tokens_are_401_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = install(FastAPI(), ops_token=TOKEN)
    now = 1_000.0
    monkeypatch.setattr(operators, "monotonic", lambda: now)
    assert (await statuses(app, "192.0.2.1", 11))[-1] == 429

    now += 60

    assert await statuses(app, "192.0.2.1", 11) == [401] * 10 + [429]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
async def test_the_addresses_of_one_network_of_ipv6_count_as_one(
    one: str, other: str, same: bool
) -> None:
    app = install(FastAPI(), ops_token=TOKEN)
    await statuses(app, one, 10)

    assert await statuses(app, other, 1) == [429 if same else 401]


async def test_at_most_1000_addresses_are_remembered_and_the_latest_stay() -> None:
    app = install(FastAPI(), ops_token=TOKEN)
    wrong = app.state.vitals._operators._wrong
    for number in range(1_100):
        await statuses(app, f"10.0.{number // 250}.{number % 250}", 1)

    assert len(wrong) == 1_000
    assert await statuses(app, "10.0.4.99", 10) == [401] * 9 + [429]


async def test_the_counter_is_there_before_the_first_wrong_token() -> None:
    async with testing.client(install(FastAPI(), ops_token=TOKEN)) as client:
        assert failures((await client.get("/metrics", headers=RIGHT)).text) == 0


async def test_the_line_of_an_operators_request_says_who_and_from_where() -> None:
    app = install(FastAPI(), ops_token=TOKEN, trusted_proxies="10.0.0.0/8")
    app.delete("/cache/items", dependencies=[Depends(app.state.vitals._operators)])(lambda: 1)
    lines = Lines(app)

    async with from_address(app, "10.0.0.1") as client:
        for headers in (RIGHT, WRONG):
            sent = headers | {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
            await client.delete("/cache/items", headers=sent)

    named = [(line["status"], line["client"], line["subject"]) for line in map(json.loads, lines)]
    assert named == [(200, "203.0.113.9", "operator"), (401, "203.0.113.9", "")]
