"""The guard of the operators' paths: anyone locally, elsewhere whoever presents the token."""

import base64
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

import vitals
from tests.engine.applications import install
from vitals import Settings, testing

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
