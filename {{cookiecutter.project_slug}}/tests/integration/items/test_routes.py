"""Items and their files over a real socket: kept whole, or not at all."""

import socket
from urllib.parse import urlsplit

import httpx

from tests.hostile import TEXTS

PDF = b"%PDF-1.7\n" + b"% more\n" * 20_000 + b"%%EOF\n"


def test_an_item_is_created_read_listed_replaced_and_deleted(client: httpx.Client) -> None:
    created = client.post("/items", json={"name": "coffee", "price": 12.5})
    assert created.status_code == 201
    item = created.json()
    address = created.headers["Location"]

    assert client.get(address).json() == item == {**item, "name": "coffee", "price": 12.5}
    assert (
        item in client.get("/items", params={"limit": 1, "after": item["id"] - 1}).json()["items"]
    )

    assert client.put(address, json={"name": "tea", "price": 3}).status_code == 200
    assert client.get(address).json() == {"id": item["id"], "name": "tea", "price": 3}

    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_a_bad_item_is_refused_in_the_one_error_shape(client: httpx.Client) -> None:
    refused = client.post("/items", json={"name": "coffee", "price": -1})

    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"][0]["field"] == "body.price"


def test_a_hostile_name_that_is_allowed_comes_back_as_it_was(client: httpx.Client) -> None:
    texts = TEXTS["unicode"] + TEXTS["script"] + TEXTS["database"]

    for name in texts:
        created = client.post("/items", json={"name": name, "price": 1})
        assert created.status_code == 201, name
        read = client.get(created.headers["Location"]).json()
        assert read["name"] == name
        client.delete(created.headers["Location"])


def test_a_file_is_kept_and_handed_out_to_be_saved(client: httpx.Client) -> None:
    item = client.post("/items", json={"name": "invoice", "price": 1}).headers["Location"]

    sent = client.put(
        f"{item}/attachment", content=PDF, headers={"content-type": "application/pdf"}
    )

    assert sent.status_code == 204
    answer = client.get(f"{item}/attachment")
    assert answer.content == PDF
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_upload_whose_client_goes_away_leaves_nothing_behind(client: httpx.Client) -> None:
    item = client.post("/items", json={"name": "invoice", "price": 1}).headers["Location"]
    port = urlsplit(str(client.base_url)).port or 0
    head = f"PUT {item}/attachment HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pdf\r\n"

    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(PDF) + PDF[:1_000])

    assert client.get(f"{item}/attachment").status_code == 404


def test_a_file_that_is_too_large_is_refused_before_it_is_read(client: httpx.Client) -> None:
    item = client.post("/items", json={"name": "invoice", "price": 1}).headers["Location"]
    large = b"%PDF-1.7\n" + b"\0" * 5_242_880

    answer = client.put(
        f"{item}/attachment", content=large, headers={"content-type": "application/pdf"}
    )

    assert answer.status_code == 413
    assert client.get(f"{item}/attachment").status_code == 404
