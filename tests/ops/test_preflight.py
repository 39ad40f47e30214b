from pathlib import Path

import pytest

from tests.ops import shipping
from tests.ops.shipping import ran
from vitals.ops.release import preflight, release, repository_state
from vitals.ops.run import git, shell, steps

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


@pytest.mark.parametrize(
    ("before", "level", "least"),
    [
        ("v1.4.2", "patch", "major"),
        ("v1.4.2", "minor", "major"),
        ("v1.4.2", "major", ""),
        ("v0.4.2", "patch", "minor"),
        ("v0.4.2", "minor", ""),
        ("v0.4.2", "major", ""),
    ],
)
def test_what_breaks_clients_leaves_as_a_major_version_or_minor_before_the_first(
    ready: Path, before: str, level: str, least: str
) -> None:
    git.git("tag", "--annotate", "--message=x", before)
    git.git("push", "--quiet", "origin", before)
    shipping.commit("app/a.py", "changes/0001-orders.toml")
    state = repository_state.read(level)
    assert preflight.level_says_what_breaks(state) == ""
    with (ready / "changes" / "0001-orders.toml").open("a") as record:
        record.write('breaks = "clients must send a currency"\n')

    if least:
        with pytest.raises(steps.Refused, match=f"LEVEL={level}.*Fix: .*LEVEL={least}"):
            preflight.level_says_what_breaks(state)
    else:
        assert preflight.level_says_what_breaks(state) == "changes/0001-orders.toml"


def test_what_breaks_clients_needs_a_level_at_all(released: Path) -> None:
    shipping.commit("app/a.py", "changes/0001-orders.toml")
    with (released / "changes" / "0001-orders.toml").open("a") as record:
        record.write('breaks = "clients must send a currency"\n')

    with pytest.raises(steps.Refused, match="no LEVEL; expected patch, minor or major"):
        preflight.level_says_what_breaks(repository_state.read(""))


@pytest.mark.usefixtures("released")
def test_what_breaks_clients_is_in_the_notes() -> None:
    shipping.commit("app/a.py", "changes/0001-orders.toml")
    with (shell.ROOT / "changes" / "0001-orders.toml").open("a") as record:
        record.write('breaks = "clients must send a currency"\n')
    shipping.commit()

    assert release.release("patch", dry=False, unasked=True) == 1
    assert release.release("minor", dry=False, unasked=True) == 0
    assert "  breaks: clients must send a currency" in git.git("cat-file", "tag", "v0.2.0")
