"""Good and bad versions on real processes, watched under traffic."""

import re

import pytest

from tests.containers.released import Released
from tests.containers.watch_figures import GOOD, outcome

OTHERS = [name for name in GOOD if name != "freeze_the_database"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Released:
    released = Released(tmp_path_factory.mktemp("watched"))
    released.release("v0.1.0")
    return released


@pytest.mark.parametrize(
    "happens", ["freeze_the_database", *(pytest.param(x, marks=pytest.mark.long) for x in OTHERS)]
)
def test_a_good_version_stays(happens: str, project: Released) -> None:
    found = outcome(project, happens)

    assert found["worse"] == ""
    assert "this-tree" in found["live"]
    assert "not watched to its end" not in found["live"]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        pytest.param("slow", r"/items: .* took more than 250 ms", marks=pytest.mark.long),
        ("calls", r"/items: .* made more than \d+ database calls"),
        pytest.param("memory", r"uses \d+ MiB of memory; before", marks=pytest.mark.long),
        ("crash", r"it has ended"),
    ],
)
def test_a_bad_version_is_taken_back_within_60_s(
    fault: str, sentence: str, project: Released
) -> None:
    found = outcome(project, fault)

    assert re.search(
        f"failing went back to v0.1.0, and is marked bad: .*{sentence}", found["worse"]
    )
    assert "v0.1.0  rollback" in found["live"]
    assert found["seconds"] < 4 * 60


def test_in_processes_only_the_bad_version_fails_requests(project: Released) -> None:
    found = outcome(project, "errors")

    assert re.search(r"requests \(.*%\) failed; before, 0 of", found["worse"])
    assert found["planted"]
    assert found["failed"] == {}


@pytest.mark.usefixtures("engine")
def test_in_containers_only_the_bad_version_fails_requests(project: Released) -> None:
    found = outcome(project, "errors", "compose")

    assert found["worse"]
    assert found["planted"]
    assert found["failed"] == {}
