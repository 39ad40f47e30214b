"""What probes get to see while everything is up."""

import httpx


def test_the_service_is_alive_ready_and_passing(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "pass"}
    assert client.get("/readyz").status_code == 200
    assert client.get("/health").json()["status"] == "pass"
