"""Attachments of items: which files are stored, and how they are sent back."""

from collections.abc import AsyncIterator

import httpx
import pytest

PATH = "/items/1/attachment"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"
HTML = b"<html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


@pytest.fixture(autouse=True)
async def _item(client: httpx.AsyncClient) -> None:
    await client.post("/items", json={"name": "tea", "price": 2.5})


async def upload(client: httpx.AsyncClient, content: bytes, media_type: str) -> httpx.Response:
    return await client.put(PATH, files={"file": ("../../evil.html", content, media_type)})


@pytest.mark.parametrize(
    ("content", "media_type", "name"),
    [
        (PNG, "image/png", "item-1.png"),
        (JPEG, "image/jpeg", "item-1.jpeg"),
        (PDF, "application/pdf", "item-1.pdf"),
    ],
)
async def test_a_file_comes_back_as_it_was_sent_under_a_name_of_the_service(
    client: httpx.AsyncClient, content: bytes, media_type: str, name: str
) -> None:
    assert (await upload(client, content, media_type)).status_code == 204

    answer = await client.get(PATH)

    assert answer.content == content
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (HTML, "text/html"),
        (HTML, "image/png"),
        (SVG, "image/svg+xml"),
        (PDF, "image/png"),
        (PNG, "application/octet-stream"),
        (PNG, ""),
        (b"", "image/png"),
        (b"MZ\x90\x00", "application/pdf"),
    ],
)
async def test_a_file_of_another_type_than_allowed_or_declared_is_415_and_not_stored(
    client: httpx.AsyncClient, content: bytes, media_type: str
) -> None:
    answer = await upload(client, content, media_type)

    assert answer.status_code == 415
    assert (await client.get(PATH)).status_code == 404


async def test_an_upload_that_breaks_off_leaves_the_old_file(client: httpx.AsyncClient) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
        raise httpx.ReadError("the client is gone")

    await upload(client, PDF, "application/pdf")
    headers = {"content-type": "multipart/form-data; boundary=x"}
    await client.put(PATH, content=broken(), headers=headers)

    assert (await client.get(PATH)).content == PDF


async def test_an_unknown_item_has_no_attachment_and_takes_none(client: httpx.AsyncClient) -> None:
    await upload(client, PNG, "image/png")
    await client.delete("/items/1")

    assert (await client.get(PATH)).status_code == 404
    assert (await upload(client, PNG, "image/png")).status_code == 404
