from pathlib import Path

import pytest

from tests.ops.shipping import ran
from vitals.ops.release import preflight, release, repository_state
from vitals.ops.run import git, steps

DEMANDED = "[tool.vitals]\nrehearsal = {}\n"


@pytest.mark.parametrize(
    ("demanded", "otherwise", "said"),
    [
        ('"process"', {"mode": "compose"}, "it ran in mode 'compose'; expected 'process'"),
        ('"compose"', {"mode": "process"}, "it ran in mode 'process'; expected 'compose'"),
        ('"process"', {"ok": False}, "it failed"),
        ('"process"', {"tree": None}, "for different files"),
        ('"process"', {"at": None, "ok": "yes"}, "it failed"),
        ('"fast"', {}, "expected compose or process or none"),
    ],
)
def test_a_rehearsal_that_is_not_the_demanded_one_is_refused(
    ready: Path, demanded: str, otherwise: dict[str, object], said: str
) -> None:
    (ready / "pyproject.toml").write_text(DEMANDED.format(demanded))
    (ready / "deploy").mkdir()
    (ready / "deploy" / "compose.yaml").write_text("")
    ran("rehearsal", "process", otherwise)

    with pytest.raises(steps.Refused, match=said):
        preflight.rehearsal_passed(repository_state.read("minor"))


def test_a_rehearsal_is_demanded_unless_the_project_says_none(ready: Path) -> None:
    (ready / "build" / "rehearsal.json").write_text("{}")

    with pytest.raises(steps.Refused, match="is no record"):
        preflight.rehearsal_passed(repository_state.read("minor"))
    (ready / "pyproject.toml").write_text(DEMANDED.format('"none"'))
    assert preflight.rehearsal_passed(repository_state.read("minor")) == "none is demanded"


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("given", ["", "SEC-604", "sec-607", "SEC-60"])
def test_what_was_not_run_is_accepted_by_its_name_only(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran("check", "all", {"not_run": ["SEC-604 (no tool)", "SEC-607 (no network)"]})
    monkeypatch.setenv("ACCEPT", given)
    monkeypatch.setenv("YES", "1")

    with pytest.raises(steps.Refused, match=r"not run: .*SEC-607 .no network.*ACCEPT=.*SEC-607"):
        preflight.check_passed(repository_state.read("minor"))


@pytest.mark.usefixtures("ready")
def test_what_was_not_run_and_was_accepted_is_in_the_notes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran("check", "all", {"not_run": ["SEC-604 (no tool)", "SEC-607 (no network)"]})
    monkeypatch.setenv("ACCEPT", "SEC-604,SEC-607")

    assert release.release("minor", dry=False, unasked=True) == 0

    notes = git.git("cat-file", "tag", "refs/tags/v0.1.0")
    assert "Not run, and accepted: SEC-604 (no tool), SEC-607 (no network)" in notes
