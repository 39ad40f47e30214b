"""Does the guard of the operators' paths know its own?"""

import base64
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Depends, FastAPI

from app import errors
from app.security.operators import Operators
from tests.client import client_of

TOKEN = "correct-horse-battery"


def service(open_to_all: bool) -> FastAPI:
    service = FastAPI()
    errors.install(service)
    guard = Operators(TOKEN, everybody=open_to_all)

    @service.get("/behind", dependencies=[Depends(guard)])
    async def behind() -> str:
        return "seen"

    return service


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(service(open_to_all=False)) as client:
        yield client


@pytest.mark.parametrize(
    "sent", [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic(f":{TOKEN}"), basic(f"anybody:{TOKEN}")]
)
async def test_the_token_opens_as_bearer_and_as_basic_password(
    client: httpx.AsyncClient, sent: str
) -> None:
    assert (await client.get("/behind", headers={"Authorization": sent})).status_code == 200


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
    client: httpx.AsyncClient, sent: str
) -> None:
    answer = await client.get("/behind", headers={b"Authorization": sent.encode()})

    assert answer.status_code == 401
    assert answer.headers["content-type"] == errors.MEDIA_TYPE
    assert "Basic realm=" in answer.headers["www-authenticate"]
    assert "Bearer" in answer.headers["www-authenticate"]


async def test_where_it_runs_locally_everybody_is_an_operator() -> None:
    async with client_of(service(open_to_all=True)) as client:
        assert (await client.get("/behind")).status_code == 200
