"""What if the cache's server is away?"""

import httpx

from vitals.ops.measure import load
from vitals.ops.run import shell
from vitals.ops.services.serving import serving


def test_a_cache_that_is_away_only_costs_time(environment: dict[str, str]) -> None:
    nobody = f"redis://127.0.0.1:{shell.free_port()}/0"

    with (
        serving({**environment, "APP_CACHE_URL": nobody}) as served,
        httpx.Client(base_url=served.url) as client,
    ):
        assert client.get("/readyz").is_success
        assert client.get("/health").json()["status"] == "warn"
        asked = load.read(shell.ROOT)
        requests = asked.seeds[:1] + [route.request for route in asked.routes]
        answers = [client.request(each.method, each.path, json=each.body) for each in requests]
        assert [answer.is_server_error for answer in answers] == [False] * len(requests)
