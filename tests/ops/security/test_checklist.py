"""The checklist itself: its lines, its exceptions, and the tools that it asks."""

import datetime as dt
import json
from pathlib import Path

import pytest

from vitals.ops.check.security import __main__ as security
from vitals.ops.check.security import gather, secret_scan, tools
from vitals.ops.check.security.checklist import (
    Accepted,
    Check,
    accepted,
    findings,
    without_accepted,
)
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused

TODAY = dt.date(2026, 6, 15)
NOTHING: gather.Evidence = None  # type: ignore[assignment]


def check(*found: str) -> Check:
    return Check("SEC-999", "it holds", lambda _: found, "nothing", "undo it", "RFC 1")


def test_numbers_are_given_once_and_in_order() -> None:
    ids = [check.id for check in security.CHECKS]

    assert ids == sorted(set(ids))


def test_a_line_says_what_was_found_what_is_expected_and_the_fix() -> None:
    (finding,) = findings([check("a fault", "a fault")], NOTHING)

    assert finding == "SEC-999 a fault; expected nothing. Fix: undo it (RFC 1)"


def test_a_line_holds_no_control_character() -> None:
    (finding,) = findings([check("a\x1b[31m\r\n\u202efile")], NOTHING)

    assert finding.startswith(r"SEC-999 a\x1b[31m\r\n\u202efile; ")
    assert finding.isprintable()


def test_an_accepted_finding_is_left_out_until_its_day() -> None:
    entry = Accepted("SEC-413", "team", "large plans", TODAY)
    found = ["SEC-413 …", "SEC-414 …"]

    on_the_day = without_accepted(found, [entry], TODAY)
    after_it = without_accepted(found, [entry], TODAY + dt.timedelta(days=1))

    assert [line[:7] for line in on_the_day] == ["SEC-414"]
    assert [line[:7] for line in after_it] == ["SEC-413", "SEC-414", "SEC-001"]


def test_an_exception_that_nothing_needs_is_a_finding() -> None:
    entry = Accepted("SEC-413", "team", "large plans", TODAY)

    (finding,) = without_accepted([], [entry], TODAY)

    assert finding.startswith("SEC-002 ")


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

    assert secret_scan.in_files(gather.files_of_the_repository()) == ()
    assert secret_scan.in_history("") == (git.git("rev-parse", "--short", "HEAD~1"),)


def test_an_audit_without_an_answer_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = '{"dependencies": [{"name": "jinja2", "version": "2.4.1", "vulns": []}]}'
    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(0, silent))
    assert tools.advisories() is None

    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(1, "Traceback"))
    assert tools.advisories() is None


def test_an_audit_that_answers_names_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    output = (
        'WARNING\n{"dependencies": [{"name": "jinja2", "vulns": [{"id": "GHSA-known"}]}, '
        '{"name": "starlette", "vulns": [{"id": "GHSA-new"}]}, {"name": "anyio", "vulns": []}]}'
    )
    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(1, output))

    assert tools.advisories() == ("starlette: GHSA-new",)


@pytest.mark.parametrize(
    ("locations", "file"),
    [
        ([{"symbolic": {"key": {"Local": {"verbatim_path": ".github/a.yml"}}}}], ".github/a.yml"),
        ([{"symbolic": {"key": {"Local": {"given_path": ".github/a.yaml"}}}}], ".github/a.yaml"),
        ([{"symbolic": {"key": {"Remote": {"slug": "some/where"}}}}], ".github"),
        ([], ".github"),
    ],
)
def test_a_finding_about_a_workflow_is_a_line_wherever_its_place_stands(
    monkeypatch: pytest.MonkeyPatch, locations: list[object], file: str
) -> None:
    finding = {"ident": "unpinned-uses", "desc": "a moving tag", "locations": locations}
    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(14, json.dumps([finding])))

    assert tools.workflows() == (f"{file}: unpinned-uses: a moving tag",)


def test_a_linter_that_says_nothing_readable_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(1, "fatal: no audit was performed"))

    with pytest.raises(Refused, match="zizmor failed"):
        tools.workflows()
