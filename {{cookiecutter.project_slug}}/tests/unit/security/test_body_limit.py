"""Is a body that is too large refused, however it comes?"""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request

from app import errors
from app.security.body_limit import BodyLimit
from tests.client import client_of

MAX_BYTES = 1_000


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    errors.install(service)
    service.add_middleware(BodyLimit, max_bytes=MAX_BYTES)

    @service.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @service.post("/parsed")
    async def parsed(body: list[int]) -> int:
        return len(body)

    async with client_of(service) as client:
        yield client


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 100):
        yield b"1" * 100


async def test_a_body_of_just_the_limit_is_taken(client: httpx.AsyncClient) -> None:
    assert (await client.post("/length", content=b"1" * MAX_BYTES)).json() == MAX_BYTES
    assert (await client.post("/length", content=chunks(MAX_BYTES))).json() == MAX_BYTES


@pytest.mark.parametrize("path", ["/length", "/parsed", "/nowhere"])
async def test_a_larger_declared_body_is_413_and_closes(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.post(path, content=b"1" * (MAX_BYTES + 1))

    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert answer.json()["detail"] == "the body is too large; expected at most 1000 bytes"
    assert answer.json()["retry_safe"] is False


@pytest.mark.parametrize("path", ["/length", "/parsed"])
async def test_a_larger_chunked_body_has_the_same_answer(
    client: httpx.AsyncClient, path: str
) -> None:
    declared = await client.post(path, content=b"1" * (MAX_BYTES + 1))
    chunked = await client.post(path, content=chunks(MAX_BYTES + 100))

    assert chunked.status_code == 413
    assert chunked.json() == declared.json()
    assert chunked.headers["connection"] == "close"


@pytest.mark.parametrize("coding", ["identity", "gzip, chunked", "xchunked", "chunked, chunked"])
async def test_a_coding_that_two_readers_could_read_differently_is_400_and_closes(
    client: httpx.AsyncClient, coding: str
) -> None:
    answer = await client.post("/length", headers={"transfer-encoding": coding})

    assert answer.status_code == 400
    assert answer.headers["connection"] == "close"


async def test_uploads_have_a_limit_of_their_own() -> None:
    service = FastAPI()
    errors.install(service)
    options = {"max_bytes": 10, "max_upload_bytes": 100, "uploads": ("/file",)}
    service.add_middleware(BodyLimit, **options)

    @service.put("/{name}/file")
    async def keep(name: str, request: Request) -> int:
        return len(name + (await request.body()).decode())

    async with client_of(service) as client:
        assert (await client.put("/a/file", content=b"1" * 100)).status_code == 200
        assert (await client.put("/a/file", content=b"1" * 101)).status_code == 413
        assert (await client.post("/a/file", content=b"1" * 11)).status_code == 413
        assert (await client.put("/a/other", content=b"1" * 11)).status_code == 413
