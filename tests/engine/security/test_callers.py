"""Does every route say who may call it, and does it hold what it says?"""

import base64
import re
from collections.abc import AsyncIterator, Collection
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI

from app.main import create_app
from tests.client import client_of
from vitals import problems, validation
from vitals.security import guard
from vitals.security.guard import PUBLIC, Allows, bad_token
from vitals.security.operators import Operators
from vitals.settings import SettingsRefused, load
from vitals.validation import Incoming

GRANTED = {"writer": ["items:write"], "reader": ["items:read"]}


async def verify(token: str) -> Collection[str]:
    if token not in GRANTED:
        raise bad_token("this is no good token")
    return GRANTED[token]


class Sent(Incoming):
    amount: int


def service_with(allows: Any) -> FastAPI:
    routes = validation.router("/things")

    @routes.get("", openapi_extra=PUBLIC)
    async def look() -> str:
        return "all"

    @routes.post("", dependencies=[Depends(allows("items:write"))])
    async def change(sent: Sent) -> int:
        return sent.amount

    service = FastAPI(openapi_url=None)
    problems.install(service)
    service.include_router(routes)
    return service


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(service_with(partial(Allows, verify))) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_public_route_asks_for_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/things")).status_code == 200


async def test_a_token_that_grants_the_scope_lets_in(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", json={"amount": 3}, headers=bearer("writer"))

    assert answer.json() == 3


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer"}, {"authorization": "Basic d3JpdGVy"}]
)
async def test_without_a_token_it_is_401_and_says_how_to_come_in(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.post("/things", json={"amount": 3}, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("token", ["stranger", "x" * 8_193])
async def test_with_a_bad_token_it_is_401_invalid(client: httpx.AsyncClient, token: str) -> None:
    answer = await client.post("/things", json={"amount": 3}, headers=bearer(token))

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_with_a_token_that_does_not_reach_so_far_it_is_403(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/things", json={"amount": 3}, headers=bearer("reader"))

    assert answer.status_code == 403
    assert 'scope="items:write"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("body", [b"{", b'{"amount": "x"}', b""])
async def test_who_may_not_call_learns_nothing_about_the_body(
    client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await client.post(
        "/things", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 401


async def test_where_it_is_off_everybody_may_do_everything() -> None:
    async with client_of(service_with(partial(Allows, None))) as client:
        assert (await client.post("/things", json={"amount": 3})).status_code == 200


def test_a_route_that_states_nothing_is_found() -> None:
    service = service_with(partial(Allows, verify))
    forgotten = APIRouter()
    forgotten.add_api_route("/forgotten", lambda: None)
    service.include_router(forgotten, prefix="/v1")

    (line,) = guard.faults(service, everybody=True)

    assert line.startswith("GET /v1/forgotten: states nothing; expected who may call it")


def test_an_operators_route_states_it() -> None:
    service = FastAPI(openapi_url=None)
    guard = Operators("", everybody=True)
    service.add_api_route("/inside", lambda: None, dependencies=[Depends(guard)])

    assert guard.faults(service, everybody=False) == []


def test_no_guard_is_off_outside_local_and_test() -> None:
    local = load({})
    create_app(local)

    with pytest.raises(SettingsRefused) as refused:
        create_app(local.model_copy(update={"environment": "staging"}))

    told = re.compile(r"APP_AUTH: off, but [A-Z ]+ /\S+ needs \S+; ")
    assert refused.value.faults
    assert [fault for fault in refused.value.faults if not told.match(fault)] == []


TOKEN = "correct-horse-battery"


def guarded(open_to_all: bool) -> FastAPI:
    guarded = FastAPI()
    problems.install(guarded)
    guard = Operators(TOKEN, everybody=open_to_all)

    @guarded.get("/behind", dependencies=[Depends(guard)])
    async def behind() -> str:
        return "seen"

    return guarded


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


@pytest.fixture(scope="module")
async def with_guard() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(guarded(open_to_all=False)) as with_guard:
        yield with_guard


@pytest.mark.parametrize(
    "sent", [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic(f":{TOKEN}"), basic(f"anybody:{TOKEN}")]
)
async def test_the_token_opens_as_bearer_and_as_basic_password(
    with_guard: httpx.AsyncClient, sent: str
) -> None:
    assert (await with_guard.get("/behind", headers={"Authorization": sent})).status_code == 200


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
async def test_anything_else_is_401_with_both_ways_to_ask(
    with_guard: httpx.AsyncClient, sent: str
) -> None:
    answer = await with_guard.get("/behind", headers={b"Authorization": sent.encode()})

    assert answer.status_code == 401
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    assert "Basic realm=" in answer.headers["www-authenticate"]
    assert "Bearer" in answer.headers["www-authenticate"]


async def test_where_it_runs_locally_everybody_is_an_operator() -> None:
    async with client_of(guarded(open_to_all=True)) as with_guard:
        assert (await with_guard.get("/behind")).status_code == 200
