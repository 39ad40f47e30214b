"""Items read through a real cache server."""

import httpx


def test_the_second_read_comes_from_the_cache_and_a_change_is_seen_at_once(
    client: httpx.Client,
) -> None:
    address = client.post("/items", json={"name": "coffee", "price": 1}).headers["Location"]

    client.get(address)
    again = client.get(address)

    assert 'cache;desc="hit"' in again.headers["Server-Timing"]
    client.put(address, json={"name": "tea", "price": 1})
    assert client.get(address).json()["name"] == "tea"
