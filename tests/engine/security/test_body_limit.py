"""Limits of a request's body, by its content type."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel

from tests.engine.applications import install, settings
from vitals import testing

MAX_BYTES, MAX_UPLOAD_BYTES = 1_100, 2_200
JSON = {"content-type": "application/json"}
OCTETS = {"content-type": "application/octet-stream"}
LARGER = [  # content types that are not JSON, and so have the larger limit
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "application/pdf",
    "image/png",
    "multipart/form-data; boundary=x",
    "text/plain",
]
UNDECLARED: dict[str, str] = {}


class Thing(BaseModel):
    name: str


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()

    @app.post("/length")
    @app.put("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.post("/parsed")
    async def parsed(body: list[int]) -> int:
        return len(body)

    @app.post("/thing")
    async def thing(thing: Thing) -> str:
        return thing.name

    limits = {"max_body_bytes": MAX_BYTES, "max_upload_bytes": MAX_UPLOAD_BYTES}
    async with testing.client(install(app, **limits)) as client:
        yield client


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 100):
        yield b"1" * 100


def test_the_limits_have_these_defaults() -> None:
    assert settings().max_body_bytes == 262_144
    assert settings().max_upload_bytes == 5_242_880


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        (UNDECLARED, MAX_BYTES),
        (JSON, MAX_BYTES),
        ({"content-type": "application/merge-patch+json"}, MAX_BYTES),
        *[({"content-type": kind}, MAX_UPLOAD_BYTES) for kind in LARGER],
    ],
    ids=str,
)
async def test_a_body_of_just_the_limit_of_its_type_is_accepted_and_a_larger_one_is_413(
    client: httpx.AsyncClient, headers: dict[str, str], limit: int
) -> None:
    async def post(content: bytes | AsyncIterator[bytes]) -> httpx.Response:
        return await client.post("/length", content=content, headers=headers)

    assert (await post(b"1" * limit)).json() == limit
    assert (await post(chunks(limit))).json() == limit
    assert (await post(b"1" * (limit + 1))).status_code == 413
    assert (await post(chunks(limit + 100))).status_code == 413


@pytest.mark.parametrize("path", ["/length", "/parsed", "/nowhere"])
async def test_a_larger_declared_body_is_413_and_closes(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.post(path, content=b"1" * (MAX_BYTES + 1))

    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert answer.json()["detail"] == "the body is too large; expected at most 1100 bytes"
    assert answer.json()["title"] == "Content Too Large"
    assert answer.json()["retry_safe"] is False


@pytest.mark.parametrize("path", ["/length", "/parsed"])
async def test_a_larger_chunked_body_has_the_same_answer(
    client: httpx.AsyncClient, path: str
) -> None:
    own = {"request_id"}
    declared = (await client.post(path, content=b"1" * (MAX_BYTES + 1), headers=JSON)).json()
    chunked = await client.post(path, content=chunks(MAX_BYTES + 100), headers=JSON)

    assert chunked.status_code == 413
    assert {n: v for n, v in chunked.json().items() if n not in own} == {
        n: v for n, v in declared.items() if n not in own
    }
    assert chunked.headers["connection"] == "close"


@pytest.mark.parametrize(
    "kind", ["application/json\t", "application/a!b+json", "application/JSON "]
)
async def test_json_has_its_limit_however_its_type_is_written(
    client: httpx.AsyncClient, kind: str
) -> None:
    answer = await client.post(
        "/thing", content=b'{"name": "' + b"x" * MAX_BYTES + b'"}', headers={"content-type": kind}
    )

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("content-type", "application/json", "image/png"),
        ("content-type", "application/json", "application/json"),
        ("content-encoding", "identity", "gzip"),
        ("content-encoding", "gzip", "identity"),
    ],
)
async def test_a_second_header_about_the_content_is_400_since_two_readers_could_differ(
    client: httpx.AsyncClient, name: str, first: str, second: str
) -> None:
    both = [("content-type", "application/json")] if name != "content-type" else []

    answer = await client.post(
        "/thing", content=b'{"name": "tea"}', headers=[*both, (name, first), (name, second)]
    )

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["retry_safe"] is False


@pytest.mark.parametrize("content", [b"1", b""])
async def test_a_put_of_a_part_is_400_since_it_would_replace_the_whole(
    client: httpx.AsyncClient, content: bytes
) -> None:
    part = {"content-range": "bytes 0-0/9"} | OCTETS

    refused = await client.put("/length", content=content, headers=part)
    ignored = await client.post("/length", content=content, headers=part)

    assert (refused.status_code, refused.headers["connection"]) == (400, "close")
    assert ignored.json() == len(content)


CODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("text", ['{"name": "tea"}', '"\u00e9"', "7"])
@pytest.mark.parametrize("at_a_time", [1, 3, 100])
async def test_json_in_another_encoding_is_415_however_it_arrives(
    client: httpx.AsyncClient, coding: str, text: str, at_a_time: int
) -> None:
    content = text.encode(coding)

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(content), at_a_time):
            yield content[start : start + at_a_time]

    answers = [
        await client.post(path, content=sent, headers=JSON)
        for path in ("/thing", "/length")
        for sent in (content, parts())
    ]

    assert {answer.status_code for answer in answers} == {415}
    assert {answer.json()["detail"] for answer in answers} == {
        "JSON in another character set; expected UTF-8"
    }


async def test_bytes_that_are_no_json_may_begin_with_zeros(client: httpx.AsyncClient) -> None:
    answer = await client.post("/length", content=bytes(10), headers=OCTETS)

    assert answer.json() == 10


async def test_200_query_fields_are_accepted_and_more_are_400(client: httpx.AsyncClient) -> None:
    fields = [f"f{number}=1" for number in range(201)]

    accepted = await client.post("/length?" + "&".join(fields[:200]))
    refused = [
        await client.post("/length?" + "&".join(fields)),
        await client.get("/nowhere?" + "&" * 4_000),
    ]

    assert accepted.status_code == 200
    assert {answer.status_code for answer in refused} == {400}
    assert refused[0].json()["detail"] == "too many query fields; expected at most 200"


@pytest.mark.parametrize("coding", ["identity", "gzip, chunked", "xchunked", "chunked, chunked"])
async def test_a_coding_that_two_readers_could_read_differently_is_400_and_closes(
    client: httpx.AsyncClient, coding: str
) -> None:
    answer = await client.post("/length", headers={"transfer-encoding": coding})

    assert answer.status_code == 400
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/jsonp"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": 'application/json; charset="latin-1"'},
        {"content-type": "application/json\t; a=b;charset = utf-16"},
        JSON | {"content-encoding": "gzip"},
        {},
    ],
    ids=str,
)
async def test_a_json_route_answers_415_to_other_content(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.post("/thing", content=b'{"name": "tea"}', headers=headers)

    assert answer.status_code == 415
    assert answer.json()["title"] == "Unsupported Media Type"
    assert "expected" in answer.json()["detail"]


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON; Charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/merge-patch+json",
        "application/json; profile=a",
    ],
)
async def test_json_in_utf_8_is_accepted_however_its_type_is_written(
    client: httpx.AsyncClient, kind: str
) -> None:
    answer = await client.post("/thing", content=b'{"name": "tea"}', headers={"content-type": kind})

    assert (answer.status_code, answer.json()) == (200, "tea")
