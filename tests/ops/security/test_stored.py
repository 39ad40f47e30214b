"""The parts of the checklist whose inputs are the same are not looked at again."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from vitals.ops.check.security import __main__ as security
from vitals.ops.check.security import service
from vitals.ops.check.security.checklist import Check, Findings, NotRun
from vitals.ops.check.security.gather import Evidence
from vitals.ops.run.steps import Refused

looked = Counter[str]()
found: dict[str, list[tuple[str, str]]] = {}
ACCEPTED = """
[[accepted]]
id = "SEC-201"
place = "a"
owner = "me"
reason = "a test"
until = {until}
"""


def check(id_: str, module: str) -> Check:
    def look(_: Evidence) -> Findings:
        looked[id_] += 1
        yield from found.get(id_, [])

    look.__module__ = module
    return Check(id_, id_, look, "none", "remove it", "a rule")


@pytest.fixture(autouse=True)
def project(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one check of each part."""
    files = {"config/security-accepted.toml": "", ".gitignore": "build/\n", "README.md": ""}
    for name, text in files.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text(text)
    subprocess.run(["git", "add", "--all"], cwd=repository, check=True)
    ids = {"SEC-102": service.__name__, "SEC-201": "another", "SEC-607": "another"}
    monkeypatch.setattr(security, "CHECKS", [check(*each) for each in ids.items()])
    monkeypatch.setattr(security, "_said", lambda *_: "")
    looked.clear()
    found.clear()
    return repository


def test_only_advisories_are_looked_at_again() -> None:
    assert security.look() == "3 checks, 0 findings accepted"

    assert security.look() == "unchanged: service, repository; 3 checks, 0 findings accepted"

    assert looked == {"SEC-102": 1, "SEC-201": 1, "SEC-607": 2}


def test_an_advisory_that_comes_later_is_found() -> None:
    security.look()

    found["SEC-607"] = [("starlette", "is open")]
    with pytest.raises(Refused, match="1 findings"):
        security.look()


def test_a_document_changes_the_repository_and_not_the_service(project: Path) -> None:
    security.look()

    (project / "README.md").write_text("text")
    security.look()

    assert looked == {"SEC-102": 1, "SEC-201": 2, "SEC-607": 2}


def test_a_finding_is_not_stored() -> None:
    found["SEC-201"] = [("a", "is there")]

    for _ in range(2):
        with pytest.raises(Refused, match="1 findings"):
            security.look()

    assert looked["SEC-102"] == looked["SEC-201"] == 2


def test_what_was_not_run_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Evidence) -> Findings:
        raise NotRun("no tool")
        yield

    every = [each._replace(look=away) if each.id == "SEC-201" else each for each in security.CHECKS]
    monkeypatch.setattr(security, "CHECKS", every)

    for _ in range(2):
        assert "not run: SEC-201 (no tool)" in security.look()

    assert looked == {"SEC-102": 1, "SEC-607": 2}


def test_a_stored_finding_needs_its_exception_on_each_day(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = security.dt.datetime.now(security.dt.UTC).date()
    until = today + security.dt.timedelta(days=2)
    (project / "config/security-accepted.toml").write_text(ACCEPTED.format(until=until))
    found["SEC-201"] = [("a", "is there")]
    assert security.look() == "3 checks, 1 findings accepted"
    assert "unchanged: service, repository" in security.look()
    left = security.checklist.left

    later = today + security.dt.timedelta(days=3)
    monkeypatch.setattr(
        security.checklist, "left", lambda report, all_, _: left(report, all_, later)
    )
    with pytest.raises(Refused) as refused:
        security.look()

    assert "SEC-001 SEC-201 a: accepted until" in refused.value.output
    assert looked["SEC-201"] == 1
