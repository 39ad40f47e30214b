"""The sender of a load: its log-in, and values of earlier answers."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.ops.measure.test_load import written
from vitals.ops.measure import load
from vitals.ops.measure.load import Request
from vitals.ops.measure.session import Session
from vitals.ops.run.steps import Refused

LOAD = """
[[seed]]
request = "POST /users"
body = { user = { name = "ada {n}" } }
as = "anonymous"
times = 2

[login]
request = "POST /login"
form = { username = "{name}", password = "secret" }

[[seed]]
request = "POST /articles"
body = { title = "One", tags = ["{n}"], author = "{id}" }
times = 1

[[route]]
route = "/articles/{slug}"
request = "GET /articles/{slug}?by={name}"
rate = 20
p95_ms = 250
availability = 99.9

[[route]]
route = "/articles"
request = "GET /articles"
as = "anonymous"
rate = 20
p95_ms = 250
availability = 99.9
"""
READ = Request("GET", "/articles/{slug}")


class Service:
    """Users with ids, a log-in by form, and articles that belong to somebody."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []  # the line, who, the body

    def __call__(self, request: httpx.Request) -> httpx.Response:
        who, body = request.headers.get("Authorization", ""), request.content.decode()
        self.sent.append((f"{request.method} {request.url.raw_path.decode()}", who, body))
        if request.url.path == "/users":
            name = json.loads(body)["user"]["name"]
            inner = {"id": 1, "name": "another"}
            return httpx.Response(201, json={"id": len(self.sent), "by": inner, "name": name})
        if request.url.path == "/login":
            return httpx.Response(200, json={"access_token": "t0ken"})
        return httpx.Response(200, json={"articles": [{"slug": "one"}]} if who else {"slug": ""})


def sent_by(load_: load.Load, service: Callable[[httpx.Request], httpx.Response]) -> Session:
    session = Session(load_, "of the issuer")
    with httpx.Client(transport=httpx.MockTransport(service), base_url="http://x") as client:
        session.seed(client)
        for route in load_.routes:
            session.send(client, route.request)
    return session


def test_a_log_in_and_the_values_of_earlier_answers_reach_later_requests(tmp_path: Path) -> None:
    service = Service()

    sent_by(load.read(written(tmp_path, LOAD)), service)

    first, second, login, article, one, list_ = service.sent
    assert first[2] != second[2]  # {n} is another number each time
    assert [who for _, who, _ in service.sent[:3]] == ["", "", ""]
    name = json.loads(second[2])["user"]["name"]
    assert login[2] == f"username={name.replace(' ', '+')}&password=secret"
    assert article[1] == "Bearer t0ken"
    assert json.loads(article[2])["author"] == 2  # the number of the outer object, as a number
    assert one[:2] == (f"GET /articles/one?by={name.replace(' ', '%20')}", "Bearer t0ken")
    assert list_[:2] == ("GET /articles", "")


def test_without_a_log_in_requests_have_the_token_of_the_issuer() -> None:
    service = Service()

    sent_by(load.EMPTY._replace(seeds=[Request("POST", "/articles")]), service)

    assert service.sent[0][1] == "Bearer of the issuer"


def test_the_token_has_the_name_and_the_scheme_that_the_service_wants(tmp_path: Path) -> None:
    login = '[login]\nrequest = "POST /login"\ntoken = "token"\nscheme = "Token"\n'
    plan = load.read(written(tmp_path, login))

    session = sent_by(plan, lambda _: httpx.Response(200, json={"user": {"token": "t0ken"}}))

    assert session.credentials == {"Authorization": "Token t0ken"}


@pytest.mark.parametrize(
    ("plan", "status", "found"),
    [
        (load.EMPTY._replace(seeds=[READ]), 200, "no answer of a seed has 'slug'"),
        (load.EMPTY._replace(seeds=[Request("POST", "/a")]), 409, "POST /a was answered 409"),
        (
            load.EMPTY._replace(
                login=load.Login(Request("POST", "/a", anonymous=True), "token", "Bearer")
            ),
            200,
            "the log-in's answer has no 'token'",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(plan: load.Load, status: int, found: str) -> None:
    with pytest.raises(Refused, match=found):
        sent_by(plan, lambda _: httpx.Response(status, json={"token": 1}))


def test_another_sender_than_anonymous_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="as = 'admin'"):
        load.read(written(tmp_path, LOAD.replace("anonymous", "admin")))
