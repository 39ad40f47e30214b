"""The service while the server of its cache is down."""

import httpx

from vitals.ops.measure import load
from vitals.ops.run import shell
from vitals.ops.services.serving import serving


def test_without_its_cache_the_service_is_ready_warns_and_answers(
    environment: dict[str, str],
) -> None:
    down = f"redis://127.0.0.1:{shell.free_port()}/0"
    plan = load.read(shell.ROOT)
    requests = plan.seeds[:1] + [route.request for route in plan.routes]

    with (
        serving({**environment, "APP_CACHE_URL": down}) as service,
        httpx.Client(base_url=service.url) as client,
    ):
        assert client.get("/readyz").is_success
        assert client.get("/health").json()["status"] == "warn"
        answers = [client.request(each.method, each.path, json=each.body) for each in requests]

    assert [answer for answer in answers if answer.is_server_error] == []
