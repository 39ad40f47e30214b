from pathlib import Path

import pytest

from tests.ops import place
from tests.ops.place import Answers, answering
from vitals.ops.deploy import smoke
from vitals.ops.measure.load import NOTHING
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

BUILD = Build("v1.2.0", "c0ffee")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return place.release("v1.2.0", tmp_path)._replace(build=BUILD)


def test_a_service_that_does_its_work_passes(release: Release) -> None:
    with answering(BUILD, {}) as url:
        assert smoke.check(url, release) == "4 questions"


def test_errors_in_another_shape_pass(release: Release) -> None:
    with answering(BUILD, {"/no-such-path": (404, {"errors": {}})}) as url:
        assert smoke.check(url, release) == "4 questions"


def test_a_release_whose_reads_need_a_seed_is_not_said_to_have_none(release: Release) -> None:
    slo = release.folder / "config" / "slo.toml"
    slo.write_text(slo.read_text().replace("GET /items", "GET /items/{id}"))

    with answering(BUILD, {}) as url:
        assert smoke.check(url, release).endswith("no read without a log-in or a seed")


def test_a_release_without_a_route_is_asked_for_health_errors_and_headers(
    release: Release,
) -> None:
    (release.folder / "config" / "slo.toml").write_text("")

    with answering(BUILD, {"/items": (500, {})}) as url:
        assert smoke.check(url, release) == f"4 questions; {NOTHING}"
    with answering(BUILD, {}, without="X-Request-ID") as url, pytest.raises(Refused) as refused:
        smoke.check(url, release)
    assert refused.value.output == "/livez: found no X-Request-ID"


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (
            {"/health": (200, {"version": "v1.1.0", "releaseId": "c0ffee"})},
            "found version 'v1.1.0'",
        ),
        ({"/health": (200, {"version": "v1.2.0"})}, "found releaseId None"),
        ({"/health": (500, "not JSON")}, "found version None"),
        ({"/items": (500, {})}, "found 500; expected 200"),
        ({"/no-such-path": (200, {})}, "/no-such-path: found 200; expected 404"),
        ({"/no-such-path": (404, {"detail": "Not Found"})}, "lacks request_id, retry_safe"),
    ],
)
def test_a_service_that_does_not_is_refused_by_what_is_wrong(
    broken: Answers, named: str, release: Release
) -> None:
    with answering(BUILD, broken) as url, pytest.raises(Refused) as refused:
        smoke.check(url, release)

    assert named in refused.value.output


@pytest.mark.parametrize("header", ["X-Request-ID", "X-Frame-Options"])
def test_a_missing_header_is_named(header: str, release: Release) -> None:
    with answering(BUILD, {}, without=header) as url, pytest.raises(Refused) as refused:
        smoke.check(url, release)

    assert header.lower() in refused.value.output.lower()


def test_a_service_that_does_not_answer_is_refused(release: Release) -> None:
    with pytest.raises(Refused, match="no answer"):
        smoke.check(f"http://127.0.0.1:{shell.free_port()}", release)


def test_a_service_that_never_gets_ready_is_refused_with_its_last_answer(
    monkeypatch: pytest.MonkeyPatch, release: Release
) -> None:
    monkeypatch.setattr("vitals.ops.deploy.smoke.READY_SECONDS", 0.2)
    broken: Answers = {"/readyz": (503, {"failing": ["database"]})}

    with answering(BUILD, broken) as url, pytest.raises(Refused, match="database"):
        smoke.wait_until_ready(url, lambda: True, release)


def test_a_service_that_has_ended_is_not_waited_for(release: Release) -> None:
    with pytest.raises(Refused, match="no answer"):
        smoke.wait_until_ready("http://127.0.0.1:9", lambda: False, release)
