"""Does each check find its fault, and no other one?"""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from vitals.ops.check.security import __main__ as security
from vitals.ops.check.security import gather, secret_scan
from vitals.ops.check.security.checklist import (
    Accepted,
    Finding,
    accepted,
    findings,
    without_accepted,
)
from vitals.ops.check.security.evidence import Evidence
from vitals.ops.check.security.requests import requests
from vitals.ops.measure import load
from vitals.ops.project.token import Issuer
from vitals.ops.run import git, shell

from tests.ops.security.planted import PLANTED, Plant

TODAY = dt.date(2026, 6, 15)


@pytest.fixture(scope="module")
def seen() -> Evidence:
    """What is gathered here and now, but for what `make security` alone goes through at length."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gather, "advisories", lambda _: None)
        patched.setattr(leaks, "in_files", lambda *_: ())
        patched.setattr(leaks, "in_history", lambda _: ())
        return gather.gather(shell.ROOT)


def test_nothing_is_found_here(seen: Evidence) -> None:
    assert findings(security.CHECKS, seen) == []


@pytest.mark.parametrize(("id_", "plant"), PLANTED, ids=[id_ for id_, _ in PLANTED])
def test_a_planted_fault_is_found_by_its_check_alone(
    seen: Evidence, tmp_path: Path, id_: str, plant: Plant
) -> None:
    found = findings(security.CHECKS, plant(seen, tmp_path))

    assert {finding.id for finding in found} == {id_}, found


def test_every_check_is_proved_by_a_planted_fault() -> None:
    assert {check.id for check in security.CHECKS} == {id_ for id_, _ in PLANTED}


def test_a_service_that_is_only_read_is_not_asked_to_write(
    seen: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = load.read(shell.ROOT)._replace(seeds=[], scopes="")
    monkeypatch.setattr(load, "read", lambda _: plan)
    read_only = {"paths": {"/items": {"get": dict[str, str]()}}}

    asked = requests(
        seen.settings["production"], Issuer(), Issuer(), seen.canaries, read_only
    ).keys()

    fewer = replace(seen, answers={n: seen.answers[n] for n in asked}, operations={})
    assert {"no token", "invalid", "declared", "upload", "script"} & asked == set()
    assert findings(security.CHECKS, fewer) == []


def test_numbers_are_given_once_and_in_order() -> None:
    ids = [check.id for check in security.CHECKS]

    assert ids == sorted(set(ids))


def test_a_line_says_what_was_found_what_is_expected_and_what_to_do(seen: Evidence) -> None:
    (permissions,) = [check for check in security.CHECKS if check.id == "SEC-101"]
    plant = dict(PLANTED)["SEC-101"]

    (finding,) = findings([permissions], plant(seen, Path()))

    assert finding.line == (
        "SEC-101 GET /planted states nothing; expected who may call it; add Depends(allows(...)) "
        "to its dependencies, or openapi_extra=PUBLIC (OWASP API5:2023)"
    )


def test_an_accepted_finding_is_left_out_until_its_day() -> None:
    entry = Accepted("SEC-413", "team", "large plans", TODAY)
    found = [Finding("SEC-413", "…"), Finding("SEC-414", "…")]

    on_the_day = without_accepted(found, [entry], TODAY)
    after_it = without_accepted(found, [entry], TODAY + dt.timedelta(days=1))

    assert [finding.id for finding in on_the_day] == ["SEC-414"]
    assert [finding.id for finding in after_it] == ["SEC-413", "SEC-414", "SEC-001"]


def test_an_exception_that_nothing_needs_is_a_finding() -> None:
    entry = Accepted("SEC-413", "team", "large plans", TODAY)

    (finding,) = without_accepted([], [entry], TODAY)

    assert finding.id == "SEC-002"


@pytest.mark.parametrize(
    "text",
    [
        '[[accepted]]\nid = "SEC-413"\nowner = "team"\nreason = "large plans"\n',
        '[[accepted]]\nid = "SEC-413"\nowner = "t"\nreason = "r"\nuntil = "tomorrow"\n',
        '[[accepted]]\nid = "S"\nowner = "t"\nreason = "r"\nuntil = 2027-01-01\nmore = 1\n',
    ],
)
def test_an_exception_must_be_whole(tmp_path: Path, text: str) -> None:
    (file := tmp_path / "accepted.toml").write_text(text)

    with pytest.raises(ValueError, match="each entry needs id, owner, reason, until"):
        accepted(file)


def test_no_entry_is_accepted_from_the_start() -> None:
    assert accepted(shell.ROOT / security.ACCEPTED) == []


def test_a_secret_is_found_in_the_history_when_it_is_gone_from_the_tree(
    repository: Path,
) -> None:
    secret = repository / "deploy.pem"
    secret.write_text("-----BEGIN EC PRIVATE KEY-----\n")  # pragma: allowlist secret
    for words in (["add", "-A"], ["commit", "-m", "oops"], ["rm", "-q", "deploy.pem"]):
        git.git("-c", "user.name=x", "-c", "user.email=x@x", *words)
    git.git("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-m", "gone")

    assert secret_scan.in_files(repository, gather.files_of(repository)) == ()
    assert secret_scan.in_history("") == (git.git("rev-parse", "--short", "HEAD~1"),)


def test_an_audit_that_can_ask_nobody_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = '{"dependencies": [{"name": "jinja2", "version": "2.4.1", "vulns": []}]}'
    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(0, silent))
    assert gather.advisories(shell.ROOT) is None

    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(1, "Traceback"))
    assert gather.advisories(shell.ROOT) is None


def test_an_audit_that_answers_tells_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        'WARNING\n{"dependencies": [{"name": "jinja2", "vulns": [{"id": "GHSA-known"}]}, '
        '{"name": "starlette", "vulns": [{"id": "GHSA-new"}]}, {"name": "anyio", "vulns": []}]}'
    )
    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(1, said))

    assert gather.advisories(shell.ROOT) == ("starlette: GHSA-new",)
