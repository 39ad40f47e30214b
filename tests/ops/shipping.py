"""Projects for the tests of a release, and what happens to them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from vitals.ops.run import git, shell

RECORD = """\
change = "Cache the item list"
reason = "p95 of GET /items 412 ms at 20 requests/s"
owner = "team-orders"
expected = "p95 of GET /items below 120 ms"
rollback = "make rollback ENV=production; safe to repeat"
not_measured = "only the text of an answer changes"
"""


PERSON = "[user]\nname = Ada\nemail = ada@example.com\n"


def work_in(project: Path, patched: pytest.MonkeyPatch) -> None:
    """Have a repository taken for the project, by somebody who has a name and no other setting."""
    (project / ".git" / "person").write_text(PERSON)
    patched.setattr("vitals.ops.run.shell.ROOT", project)
    patched.setenv("GIT_CONFIG_GLOBAL", str(project / ".git" / "person"))


def prepare(project: Path) -> None:
    """Give a project a remote, and let all be done that v0.1.0 needs."""
    (project / ".gitignore").write_text("build/\n")
    (project / "pyproject.toml").write_text("")
    git.git("init", "--quiet", "--bare", "build/origin")
    git.git("symbolic-ref", "HEAD", "refs/heads/main")
    git.git("remote", "add", "origin", "build/origin")
    commit("app/main.py")


def change(*names: str) -> None:
    """Write files; a TOML file is a change record."""
    for name in names:
        path = shell.ROOT / name
        path.parent.mkdir(exist_ok=True)
        text = path.read_text() if path.exists() else ""
        path.write_text(RECORD if name.endswith(".toml") else f"{text}changed\n")


def commit(*names: str) -> None:
    """Commit and push changes that were checked and rehearsed."""
    change(*names)
    git.git("add", "--all")
    git.git("commit", "--quiet", "--allow-empty", "--message=change")
    git.git("push", "--quiet", "--set-upstream", "origin", "main")
    ran("check", "all")
    ran("rehearsal", "process")


def ran(name: str, mode: str, otherwise: Mapping[str, object] | None = None) -> None:
    """Say that a check or a rehearsal passed for this tree, or what else it did."""
    record = {"tree": git.tree_hash(), "ok": True, "mode": mode, "at": "2026-11-24"}
    (shell.ROOT / "build" / f"{name}.json").write_text(json.dumps(record | dict(otherwise or {})))


def state() -> list[str]:
    """What a refused release leaves as it was."""
    index = (shell.ROOT / ".git" / "index").read_bytes().hex()
    return [git.git("show-ref"), git.git("ls-remote", "origin"), index]


def hook(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
