"""Is only kept what is allowed and is what it is said to be, and is it handed out safely?"""

from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
from fastapi import FastAPI

from app.items.routes import router
from app.items.store import MemoryItems
from tests.client import client_of
from vitals import problems
from vitals.security.guard import Allows

PATH = "/items/1/attachment"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    problems.install(service)
    service.include_router(router(MemoryItems(), partial(Allows, None)))
    async with client_of(service) as client:
        await client.post("/items", json={"name": "tea", "price": 2.5})
        yield client


@pytest.mark.parametrize(
    ("content", "media_type", "name"),
    [
        (PNG, "image/png", "item-1.png"),
        (JPEG, "image/jpeg", "item-1.jpg"),
        (PDF, "application/pdf", "item-1.pdf"),
    ],
)
async def test_a_file_comes_back_as_it_was_sent_to_be_saved_under_our_name(
    client: httpx.AsyncClient, content: bytes, media_type: str, name: str
) -> None:
    sent = {
        "content-type": media_type,
        "content-disposition": 'attachment; filename="../../evil.html"',
    }
    assert (await client.put(PATH, content=content, headers=sent)).status_code == 204

    answer = await client.get(PATH)

    assert answer.content == content
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"<html><script>alert(1)</script>", "text/html"),
        (b"<html><script>alert(1)</script>", "image/png"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/svg+xml"),
        (PDF, "image/png"),
        (PNG, "application/octet-stream"),
        (PNG, ""),
        (b"", "image/png"),
        (b"MZ\x90\x00", "application/pdf"),
    ],
)
async def test_what_is_not_allowed_or_not_what_it_says_is_415_and_not_kept(
    client: httpx.AsyncClient, content: bytes, media_type: str
) -> None:
    answer = await client.put(PATH, content=content, headers={"content-type": media_type})

    assert answer.status_code == 415
    assert (await client.get(PATH)).status_code == 404


async def test_an_upload_that_breaks_off_leaves_the_old_one(client: httpx.AsyncClient) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield PNG[:20]
        raise httpx.ReadError("gone")

    await client.put(PATH, content=PDF, headers={"content-type": "application/pdf"})
    await client.put(PATH, content=broken(), headers={"content-type": "image/png"})

    assert (await client.get(PATH)).content == PDF


async def test_an_attachment_goes_with_its_item(client: httpx.AsyncClient) -> None:
    await client.put(PATH, content=PNG, headers={"content-type": "image/png"})
    await client.delete("/items/1")

    assert (await client.get(PATH)).status_code == 404
    answer = await client.put(PATH, content=PNG, headers={"content-type": "image/png"})
    assert answer.status_code == 404
