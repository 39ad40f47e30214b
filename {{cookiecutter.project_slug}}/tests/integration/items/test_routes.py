"""Items and their attachments over a real socket: stored as a whole, or not at all."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from vitals.ops.check.security import hostile

PDF = b"%PDF-1.7\n" + b"% more\n" * 20_000 + b"%%EOF\n"
TOO_LARGE = b"%PDF-1.7\n" + b"\0" * 5_242_880


@pytest.fixture
def item(client: httpx.Client) -> str:
    """The path of a new item."""
    return client.post("/items", json={"name": "invoice", "price": 1}).headers["Location"]


def test_an_item_is_created_read_listed_replaced_and_deleted(client: httpx.Client) -> None:
    created = client.post("/items", json={"name": "coffee", "price": 12.5})
    assert created.status_code == 201
    item, path = created.json(), created.headers["Location"]
    before = {"limit": 1, "after": item["id"] - 1}

    assert client.get(path).json() == item == {**item, "name": "coffee", "price": 12.5}
    assert client.get("/items", params=before).json()["items"] == [item]

    assert client.put(path, json={"name": "tea", "price": 3}).status_code == 200
    assert client.get(path).json() == {**item, "name": "tea", "price": 3}

    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_an_unusual_name_is_read_as_it_was_written(client: httpx.Client) -> None:
    for name in hostile.DATA["unicode"] + hostile.DATA["script"] + hostile.DATA["database"]:
        created = client.post("/items", json={"name": name, "price": 1})
        assert created.status_code == 201, name
        assert client.get(created.headers["Location"]).json()["name"] == name
        client.delete(created.headers["Location"])


def test_a_file_is_stored_and_sent_back_as_a_download(client: httpx.Client, item: str) -> None:
    sent = client.put(f"{item}/attachment", files={"file": ("a.pdf", PDF, "application/pdf")})

    assert sent.status_code == 204
    answer = client.get(f"{item}/attachment")
    assert answer.content == PDF
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_upload_whose_client_goes_away_leaves_nothing(client: httpx.Client, item: str) -> None:
    files = {"file": ("a.pdf", PDF, "application/pdf")}
    request = client.build_request("PUT", f"{item}/attachment", files=files)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())

    with socket.create_connection(("127.0.0.1", urlsplit(str(client.base_url)).port)) as connection:
        connection.sendall(f"PUT {item}/attachment HTTP/1.1\r\n{head}\r\n".encode())
        connection.sendall(request.read()[:1_000])

    assert client.get(f"{item}/attachment").status_code == 404


def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    client: httpx.Client, item: str
) -> None:
    files = {"file": ("a.pdf", TOO_LARGE, "application/pdf")}
    answer = client.put(f"{item}/attachment", files=files)

    assert answer.status_code == 413
    assert client.get(f"{item}/attachment").status_code == 404
