"""What does a real cache server do for items, and what if it is away?"""

import httpx

from ops import shell
from ops.serving import serving


def test_a_second_read_comes_from_the_cache_and_a_change_is_seen_at_once(
    client: httpx.Client,
) -> None:
    address = client.post("/items", json={"name": "coffee", "price": 1}).headers["Location"]

    client.get(address)
    again = client.get(address)

    assert 'cache;desc="hit"' in again.headers["Server-Timing"]
    client.put(address, json={"name": "tea", "price": 1})
    assert client.get(address).json()["name"] == "tea"


def test_items_are_kept_and_read_though_the_cache_is_away(environment: dict[str, str]) -> None:
    nobody = f"redis://127.0.0.1:{shell.free_port()}/0"

    with (
        serving({**environment, "APP_CACHE_URL": nobody}) as served,
        httpx.Client(base_url=served.url) as client,
    ):
        created = client.post("/items", json={"name": "coffee", "price": 1})

        assert created.status_code == 201
        assert client.get(created.headers["Location"]).json() == created.json()
