from tests.ops.place import answering
from vitals.ops.deploy.traffic import Traffic
from vitals.ops.measure.load import Request
from vitals.ops.release.releases import Build
from vitals.ops.run import shell

BUILD = Build("v1", "c0ffee")
BOTH = [Request("GET", "/items"), Request("POST", "/items", {"name": "coffee"})]


def test_what_is_answered_well_is_no_failure() -> None:
    with answering(BUILD, {}) as url, Traffic(url, {}, BOTH) as traffic:
        traffic.wait_for(20)
        seen = traffic.seen()

    assert seen.requests >= 20
    assert seen.failures.total() == 0


def test_every_kind_of_failure_is_counted() -> None:
    with answering(BUILD, {"/items": (503, {})}) as url, Traffic(url, {}, BOTH) as traffic:
        traffic.wait_for(20)
        seen = traffic.seen()

    assert seen.failures.keys() == {"GET: 503", "POST: 503"}
    assert seen.failures.total() == seen.requests


def test_every_request_to_a_closed_port_fails() -> None:
    with Traffic(f"http://127.0.0.1:{shell.free_port()}", {}, BOTH) as traffic:
        traffic.wait_for(20)
        seen = traffic.seen()

    assert seen.failures.total() == seen.requests
    assert seen.failures["GET: ConnectionRefusedError"] > 0
