"""The service while the issuer of its tokens is away."""

import time
from collections.abc import Callable
from pathlib import Path

from tests import baking
from tests.engine.security import issuer as process
from tests.faults.client import Answer, Client, ask, crowd
from tests.faults.service import Service
from tests.faults.table import Row
from vitals.ops.project.token import Issuer, publish

Start = Callable[..., Service]
Begin = Callable[..., Row]
AWAY_SECONDS = 60
ITEM = {"name": "tea", "price": 1}


def settings(issuer: Issuer, folder: Path, address: str) -> dict[str, object]:
    """The settings of a service that takes the issuer's keys from this address."""
    return {
        "auth": "jwt",
        "auth_issuer": issuer.name,
        "auth_audience": issuer.audience,
        "auth_jwks_url": f"{address}/jwks.json",
        "environ": {"SSL_CERT_FILE": str(folder / "cert.pem")},
    }


def test_r17_an_issuer_that_is_away_costs_no_request_whose_key_is_known(
    start: Start, row: Begin, tmp_path: Path
) -> None:
    r17 = row("R17", f"issuer away for {AWAY_SECONDS} s")
    issuer = Issuer()
    publish(tmp_path, issuer)
    token, unknown = issuer.token("items:write"), Issuer().token("items:write")
    with process.serving(tmp_path) as address:
        service = start(**settings(issuer, tmp_path, address))

        def add(client: Client) -> Answer:
            return client.ask("/items", "POST", ITEM, token)

        with Client(service.port) as client:
            assert add(client).status == 201
    with crowd(2, service.port, add, pause_seconds=0.05) as load, Client(service.port) as client:
        over = time.monotonic() + AWAY_SECONDS
        while time.monotonic() < over:
            refused = client.ask("/items", "POST", ITEM, unknown)
            time.sleep(1)  # the fault's own length, in which unknown keys are asked for
    late = start(**settings(issuer, tmp_path, address))
    first = ask(late.port, "/items", "POST", ITEM, token)
    port = int(address.rpartition(":")[2])
    with process.serving(tmp_path, port):
        back = time.monotonic()
        baking.wait_until(lambda: ask(late.port, "/items", "POST", ITEM, token).status == 201, 20)
        back_ms = (time.monotonic() - back) * 1000

    r17.at_least("requests", len(load.answers), 500)
    r17.exactly("lost", len(load.failed()), 0)
    r17.exactly("other than 201", {a.status for a in load.answers} - {201}, set())
    r17.exactly("an unknown key", (refused.status, refused.json()["retry_safe"]), (503, True))
    r17.exactly("a service that starts meanwhile", (first.status, late.ready()), (503, True))
    r17.at_most("its first token after", back_ms, 2_000)
    r17.exactly("tracebacks", service.log.read_text().count("Traceback"), 0)
