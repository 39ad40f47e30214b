import pytest
from vitals.ops.deploy import smoke
from vitals.ops.release.releases import Build
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

from tests.ops.place import Answers, answering

BUILD = Build("v1.2.0", "c0ffee")


def test_a_service_that_does_its_work_passes() -> None:
    with answering(BUILD, {}) as url:
        assert smoke.check(url, BUILD, "localhost") == "4 questions"


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (
            {"/health": (200, {"version": "v1.1.0", "releaseId": "c0ffee"})},
            "found version 'v1.1.0'",
        ),
        ({"/health": (200, {"version": "v1.2.0"})}, "found releaseId None"),
        ({"/items": (500, {})}, "found 500; expected 200"),
        ({"/no-such-path": (200, {})}, "/no-such-path: found 200; expected 404"),
        ({"/no-such-path": (404, {"detail": "Not Found"})}, "lacks request_id, retry_safe"),
    ],
)
def test_a_service_that_does_not_is_refused_by_what_is_wrong(broken: Answers, named: str) -> None:
    with answering(BUILD, broken) as url, pytest.raises(Refused) as refused:
        smoke.check(url, BUILD, "localhost")

    assert named in refused.value.output


@pytest.mark.parametrize("header", ["X-Request-ID", "X-Frame-Options"])
def test_a_missing_header_is_named(header: str) -> None:
    with answering(BUILD, {}, without=header) as url, pytest.raises(Refused) as refused:
        smoke.check(url, BUILD, "localhost")

    assert header.lower() in refused.value.output.lower()


def test_a_service_that_does_not_answer_is_refused() -> None:
    with pytest.raises(Refused, match="no answer"):
        smoke.check(f"http://127.0.0.1:{shell.free_port()}", BUILD, "localhost")


def test_who_never_gets_ready_is_refused_with_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitals.ops.deploy.smoke.READY_SECONDS", 0.2)
    broken: Answers = {"/readyz": (503, {"failing": ["database"]})}

    with answering(BUILD, broken) as url, pytest.raises(Refused, match="database"):
        smoke.wait_until_ready(url, lambda: True, "localhost")


def test_who_has_ended_is_not_waited_for() -> None:
    with pytest.raises(Refused, match="no answer"):
        smoke.wait_until_ready("http://127.0.0.1:9", lambda: False, "localhost")
