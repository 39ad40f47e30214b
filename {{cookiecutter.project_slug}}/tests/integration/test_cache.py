"""What if the cache's server is away?"""

import httpx

from ops import shell
from ops.serving import serving


def test_a_cache_that_is_away_keeps_nobody_out(environment: dict[str, str]) -> None:
    nobody = f"redis://127.0.0.1:{shell.free_port()}/0"

    with (
        serving({**environment, "APP_CACHE_URL": nobody}) as served,
        httpx.Client(base_url=served.url) as client,
    ):
        assert client.get("/readyz").is_success
        assert client.get("/health").json()["status"] == "warn"
