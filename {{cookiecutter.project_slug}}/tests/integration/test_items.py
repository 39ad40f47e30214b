"""The example feature over a real socket."""

import httpx


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
