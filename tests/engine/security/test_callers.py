"""The dependency `caller`: who may call a route, and the answers to everyone else."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket

import vitals
from tests.engine.applications import Lines, connect, install, settings
from vitals import PUBLIC, Caller, Problem, caller, optional_caller, testing
from vitals.validation import Model

GRANTED = {"writer": ["things:write"], "reader": ["things:read"], "both": ["a", "b", "c"]}


async def verify(token: str) -> Caller | None:
    if token not in GRANTED:
        return None
    return Caller(token, frozenset(GRANTED[token]), {"tenant": "acme"})


class Thing(Model):
    amount: int


def things() -> FastAPI:
    app, routes = FastAPI(), APIRouter(prefix="/things")

    @routes.get("", openapi_extra=PUBLIC)
    async def look() -> str:
        return "all"

    @routes.post("", dependencies=[Security(caller, scopes=["things:write"])])
    async def change(thing: Thing) -> int:
        return thing.amount

    @routes.get("/mine")
    async def mine(who: Annotated[Caller, Security(caller, scopes=["a", "b"])]) -> list[Any]:
        return [who.subject, sorted(who.scopes), who.claims]

    @routes.get("/greeting", openapi_extra=PUBLIC)
    async def greet(who: Annotated[Caller | None, Security(optional_caller)]) -> str:
        return who.subject if who else "a stranger"

    @routes.get("/signed-in", dependencies=[Depends(caller)])
    async def signed_in() -> str:
        return "you"

    app.include_router(routes)
    return app


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with testing.client(install(things(), {"verify": verify})) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_public_route_requires_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/things")).status_code == 200


async def test_a_token_with_the_scope_is_accepted(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", json={"amount": 3}, headers=bearer("writer"))

    assert answer.json() == 3


async def test_a_route_gets_the_subject_scopes_and_claims(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things/mine", headers=bearer("both"))

    assert answer.json() == ["both", ["a", "b", "c"], {"tenant": "acme"}]


async def test_without_scopes_any_valid_token_is_accepted_and_none_is_401(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get("/things/signed-in", headers=bearer("reader"))).status_code == 200
    assert (await client.get("/things/signed-in")).status_code == 401


@pytest.mark.parametrize(
    ("authorization", "status", "greeted"),
    [
        ("", 200, "a stranger"),
        ("Basic d3JpdGVy", 200, "a stranger"),  # a browser sends it everywhere
        ("Bearer writer", 200, "writer"),
        ("Token writer", 200, "writer"),
        ("Bearer stranger", 401, None),
        ("Bearer", 401, None),
        ("writer", 401, None),
    ],
)
async def test_an_optional_caller_may_be_absent_but_not_wrong(
    client: httpx.AsyncClient, authorization: str, status: int, greeted: str | None
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    answer = await client.get("/things/greeting", headers=headers)

    assert answer.status_code == status
    assert greeted is None or answer.json() == greeted


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Token"])
async def test_a_token_may_follow_the_word_bearer_or_token(
    client: httpx.AsyncClient, scheme: str
) -> None:
    answer = await client.get("/things/signed-in", headers={"authorization": f"{scheme} reader"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer"}, {"authorization": "Basic d3JpdGVy"}]
)
async def test_without_a_token_the_answer_is_401_with_the_challenge(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.post("/things", json={"amount": 3}, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("token", ["stranger", "x" * 8_193])
async def test_with_a_bad_token_the_answer_is_401_invalid_token(
    client: httpx.AsyncClient, token: str
) -> None:
    answer = await client.post("/things", json={"amount": 3}, headers=bearer(token))

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_without_the_scope_the_answer_is_403_and_names_it(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/things", json={"amount": 3}, headers=bearer("reader"))

    assert answer.status_code == 403
    assert 'scope="things:write"' in answer.headers["www-authenticate"]
    assert "things:write" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b'{"amount": "x"}', b"[]", b""])
async def test_an_unauthorized_caller_learns_nothing_about_the_model(
    client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await client.post(
        "/things", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 401


async def test_where_authentication_is_off_everyone_has_every_scope() -> None:
    async with testing.client(install(things())) as client:
        assert (await client.post("/things", json={"amount": 3})).status_code == 200
        mine = await client.get("/things/mine")

    assert mine.json() == ["anonymous", ["a", "b"], {}]


async def test_a_websocket_is_guarded_by_the_same_dependency() -> None:
    app = FastAPI()

    @app.websocket("/ws")
    async def ws(socket: WebSocket, who: Annotated[Caller, Security(caller, scopes=["a"])]) -> None:
        await socket.accept()
        await socket.send_text(who.subject)

    vitals.install(app, settings(), verify=verify)

    accepted, greeting, *_ = await connect(app, "/ws", bearer("both"))
    refused, *_ = await connect(app, "/ws")

    assert (accepted["type"], greeting["text"]) == ("websocket.accept", "both")
    assert (refused["type"], refused["status"]) == ("websocket.http.response.start", 401)


@pytest.mark.parametrize("status", [403, 429, 503])
async def test_a_websocket_is_refused_by_any_problem(status: int) -> None:
    app = FastAPI()

    @app.websocket("/ws")
    async def ws(_: WebSocket) -> None:
        raise Problem(status, "not now")

    refused, *_ = await connect(install(app), "/ws")

    assert refused["status"] == status


def test_the_description_names_the_token_and_the_scopes() -> None:
    described = install(things()).openapi()["paths"]

    assert described["/things"]["get"]["security"] == []
    assert described["/things"]["post"]["security"] == [{"token": ["things:write"]}]
    assert described["/things/greeting"]["get"]["security"] == [{"token": []}, {}]


@pytest.mark.parametrize("auth", ["off", "jwt"])
@pytest.mark.parametrize("environment", ["local", "test", "staging", "production"])
async def test_a_verify_of_its_own_is_asked_in_every_environment_whatever_app_auth_says(
    environment: str, auth: str
) -> None:
    given = {"environment": environment, "auth": auth, "ops_token": "x" * 8 + "0123456789abcdef"}
    app = install(things(), {"verify": verify, "public": ["/things/greeting"]}, **given)
    async with testing.client(app) as client:
        answers = [
            await client.get("/things/signed-in", headers=headers)
            for headers in (None, bearer("stranger"), bearer("reader"))
        ]

    assert [answer.status_code for answer in answers] == [401, 401, 200]


@pytest.mark.parametrize(("environment", "status"), [("local", 200), ("production", 500)])
async def test_without_a_verifier_everyone_passes_in_local_and_no_one_in_production(
    environment: Any, status: int
) -> None:
    app = things()
    vitals.install(app, environment=environment, problems=True, reraise=False)

    async with testing.client(app) as client:
        answer = await client.get("/things/signed-in")

    assert answer.status_code == status


async def test_the_line_of_a_write_or_a_refusal_says_who_and_from_where() -> None:
    app = install(things(), {"verify": verify})
    lines = Lines(app)
    async with testing.client(app) as client:
        for token in ("writer", "reader", "unknown"):
            await client.post("/things", json={"amount": 3}, headers=bearer(token))

    named = [(line["status"], line["client"], line["subject"]) for line in map(json.loads, lines)]
    assert named == [
        (200, "127.0.0.1", "writer"),
        (403, "127.0.0.1", "reader"),
        (401, "127.0.0.1", ""),
    ]


@pytest.mark.parametrize("log_format", ["json", "text"])
async def test_no_subject_and_no_forwarded_address_forges_a_line(log_format: str) -> None:
    forged = 'x","status":200,"subject":"\x1b[2J\n{"level":"error"}' + "y" * 500

    async def any_subject(_: str) -> Caller:
        return Caller(forged, frozenset(["things:write"]))

    app = things()
    given = {"trusted_proxies": "10.0.0.0/8", "log_format": log_format}
    install(app, {"verify": any_subject}, **given)
    lines = Lines(app)
    transport = httpx.ASGITransport(app, client=("10.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        sent = bearer("x") | {"x-forwarded-for": 'x","status":200,"client":"\x1b[2J' + "y" * 500}
        await client.post("/things", content=b"[]", headers=sent)

    (line,) = lines
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert len(line) < 1_000
    if log_format == "json":
        assert json.loads(line)["status"] == 415
        assert json.loads(line)["subject"] == forged[:200]
