"""What the checklist asks other programs and reads from files, and that no unread input passes."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import baking
from vitals.ops.check.security import checklist, gather, manifests, tools
from vitals.ops.check.security.__main__ import CHECKS
from vitals.ops.check.security.checklist import NotRun
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused

KEY = "-----BEGIN EC PRIVATE KEY-----\n"  # gitleaks:allow


@pytest.fixture
def project(repository: Path) -> Path:
    """A repository with a commit and the rules for secrets."""
    for file in (tools.RULES, "pyproject.toml"):
        shutil.copy(baking.IN_PLACE / file, repository)
    commit("first")
    return repository


def commit(message: str) -> str:
    """Commit all files; return the commit as a finding names it."""
    who = ["-c", "user.name=x", "-c", "user.email=x@x.internal"]
    git.git("add", "-A")
    git.git(*who, "commit", "--quiet", "--allow-empty", "-m", message)
    return git.git("rev-parse", "HEAD")[:12]


def leak(project: Path) -> str:
    """Commit a secret and remove it; return the commit that holds it."""
    (project / "deploy.pem").write_text(KEY)
    leaked = commit("oops")
    (project / "deploy.pem").unlink()
    commit("gone")
    return leaked


def test_a_secret_is_found_in_the_history_when_it_is_gone_from_the_tree(project: Path) -> None:
    leaked = leak(project)
    checks = [check for check in CHECKS if check.id in ("SEC-201", "SEC-202")]

    report = checklist.run(checks, gather.Evidence())

    assert list(report.findings) == [("SEC-202", f"{leaked}:deploy.pem:private-key-header:1")]
    assert report.failed == {}


def test_a_release_ends_the_history_unless_all_of_it_is_asked_for(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaked = leak(project)
    git.git("tag", "v1.0.0")
    commit("later")

    assert tools.secrets_in_the_history() == []
    monkeypatch.setenv("HISTORY", "all")
    assert [place[:12] for place, _ in tools.secrets_in_the_history()] == [leaked]


def test_a_secret_of_another_branch_is_found_in_all_of_the_history(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git.git("switch", "--quiet", "-c", "aside")
    leaked = leak(project)
    git.git("switch", "--quiet", "-")

    monkeypatch.setenv("HISTORY", "all")

    assert [place[:12] for place, _ in tools.secrets_in_the_history()] == [leaked]


def test_a_shallow_history_is_refused(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak(project)
    shallow = tmp_path_factory.mktemp("shallow") / "clone"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{project}", shallow], check=True)
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", shallow)

    with pytest.raises(Refused, match="the history is shallow"):
        tools.secrets_in_the_history()


@pytest.mark.usefixtures("project")
def test_a_repository_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    for look in (tools.secrets_in_the_tree, tools.secrets_in_the_history):
        with pytest.raises(Refused):
            look()


@pytest.mark.parametrize("rules", ['[[allowlists]]\npaths = ["^app/"]\n', 'title = "none"\n', "["])
def test_rules_that_hide_secrets_are_refused(project: Path, rules: str) -> None:
    (project / "app").mkdir()
    (project / "app/main.py").write_text("x = 1\n")
    own = (project / tools.RULES).read_text() if rules.startswith("[[") else ""
    (project / tools.RULES).write_text(f"{own}\n{rules}")

    with pytest.raises(Refused, match=r"hides secrets in .*app/|gitleaks failed"):
        tools.secrets_in_the_tree()


def test_missing_rules_and_programs_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "BIN", project)
    with pytest.raises(Refused, match="gitleaks failed"):
        tools.secrets_in_the_tree()

    monkeypatch.undo()
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", project)
    (project / tools.RULES).unlink()
    with pytest.raises(Refused, match="gitleaks failed"):
        tools.secrets_in_the_tree()


def test_an_audit_without_an_answer_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = '{"dependencies": [{"name": "jinja2", "version": "2.4.1", "vulns": []}]}'
    for output in (silent, "Traceback"):
        monkeypatch.setattr(shell, "run", lambda _, said=output: shell.Finished(1, said))
        with pytest.raises(NotRun, match="no network"):
            tools.advisories()


def test_an_audit_without_its_program_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "python: No module named pip_audit"
    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(1, said))

    with pytest.raises(Refused, match="pip-audit is missing"):
        tools.advisories()


def test_an_audit_that_answers_names_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    output = (
        'WARNING\n{"dependencies": [{"name": "jinja2", "vulns": [{"id": "GHSA-known"}]}, '
        '{"name": "starlette", "vulns": [{"id": "GHSA-new"}]}, {"name": "anyio", "vulns": []}]}'
    )
    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(1, output))

    assert tools.advisories() == [("starlette GHSA-new", "is open")]


def workflow(project: Path, text: str) -> None:
    (folder := project / ".github/workflows").mkdir(parents=True)
    (folder / "a.yml").write_text(text)


def test_a_finding_about_a_workflow_has_its_file_rule_and_line(project: Path) -> None:
    steps = "[{run: make check}, {uses: docker/login-action@v3}]"
    workflow(project, f"on: push\njobs:\n  a:\n    runs-on: self-hosted\n    steps: {steps}\n")

    places = [place for place, _ in tools.workflows()]

    assert ".github/workflows/a.yml:unpinned-uses:5" in places
    assert ".github/workflows/a.yml:self-hosted-runner:4" in places  # a rule of auditors
    assert [place for place in places if "anonymous-definition" in place] == []


def test_words_of_zizmor_that_name_no_finding_are_no_pass(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow(project, "on: push\n")
    monkeypatch.setattr(shell, "run", lambda _: shell.Finished(0, "another format"))

    with pytest.raises(Refused, match="zizmor failed"):
        tools.workflows()


@pytest.mark.parametrize("text", ["on: [push\n", "on: push\njobs: {a: {steps: 3}}\n"])
def test_a_workflow_that_can_not_be_read_is_refused(project: Path, text: str) -> None:
    workflow(project, text)

    with pytest.raises(Refused, match="zizmor failed") as refused:
        tools.workflows()

    assert "Stack backtrace" not in refused.value.output


@pytest.mark.usefixtures("project")
def test_without_a_workflow_there_is_nothing_for_zizmor_to_find() -> None:
    assert tools.workflows() == []


@pytest.mark.parametrize("text", [b"a: [b\n", b"a: \xe9\n", b"a: \x07\n"])
def test_a_manifest_that_can_not_be_read_is_refused_by_its_name(project: Path, text: bytes) -> None:
    (project / "broken.yaml").write_bytes(text)

    with pytest.raises(Refused, match=r"broken\.yaml: "):
        manifests.documents()


def test_tags_of_other_programs_are_read(project: Path) -> None:
    text = (
        "services: {a: {image: x, ports: !reset null, user: !override root}}\nb: !!python/name:c\n"
    )
    (project / "compose.yaml").write_text(text)

    places = [place for place, facts, _ in manifests.subjects() if "user=root" in facts]

    assert places == ["compose.yaml a", "compose.yaml"]


def test_services_that_extend_themselves_are_no_endless_loop(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {a: {extends: a, image: x}}\n")

    with pytest.raises(RecursionError):
        manifests.subjects()
