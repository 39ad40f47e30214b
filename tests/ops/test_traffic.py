import httpx

from tests.ops.place import answering
from vitals.ops.deploy.traffic import Traffic
from vitals.ops.measure.load import Request
from vitals.ops.measure.session import Session
from vitals.ops.release.releases import Build
from vitals.ops.run import shell

BUILD = Build("v1", "c0ffee")
BOTH = [Request("GET", "/items"), Request("POST", "/items", {"name": "coffee"})]


def traffic(url: str) -> Traffic:
    return Traffic(lambda: httpx.Client(base_url=url), BOTH, Session())


def test_what_is_answered_well_is_no_failure() -> None:
    with answering(BUILD, {}) as url, traffic(url) as sent:
        sent.wait_for(20)

    assert len(sent.outcomes) >= 20
    assert sent.failures().total() == 0


def test_every_kind_of_failure_is_counted() -> None:
    with answering(BUILD, {"/items": (503, {})}) as url, traffic(url) as sent:
        sent.wait_for(20)

    assert sent.failures().keys() == {"GET: 503", "POST: 503"}
    assert sent.failures().total() == len(sent.outcomes)
    assert {*sent.failed.values()} == {"GET /items: 503", "POST /items: 503"}
    assert len(sent.failed) == 10  # their IDs; all are counted


def test_every_request_to_a_closed_port_fails() -> None:
    with traffic(f"http://127.0.0.1:{shell.free_port()}") as sent:
        sent.wait_for(20)

    assert sent.failures().total() == len(sent.outcomes)
    assert sent.failures()["GET: ConnectError"] > 0
