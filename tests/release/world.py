"""Projects with a remote for the release tests, and what changed in them."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psutil

from tests.baking import VARIANTS, bake, environment, free_port, wait_until
from tests.release.terminal import LONG_SECONDS, Releasing

RECORD = """\
change = "Answer in one line"
reason = "two lines were read as two answers, 3 times this week"
owner = "team-orders"
expected = "no answer is read twice"
rollback = "make rollback ENV=production; no migration, safe to repeat"
not_measured = "only the text of an answer changes"
"""


def prepared(folder: Path) -> None:
    """Lay out a released project with one change since: ready for v0.2.0."""
    origin, project = folder / "origin", folder / "project"
    run(folder, "git", "init", "--quiet", "--bare", "--initial-branch=main", origin)
    shutil.copytree(bake(**VARIANTS["plain"], ci="none"), project)
    run(project, "git", "init", "--quiet", "--initial-branch=main")
    run(project, "git", "remote", "add", "origin", "../origin")
    run(project, "git", "add", "--all")
    run(project, "git", "commit", "--quiet", "--message=Start")
    run(project, "git", "tag", "--annotate", "--message=v0.1.0", "v0.1.0")
    append(project / "app" / "main.py", "# changed\n")
    (project / "changes" / "0001-answer.toml").write_text(RECORD)
    run(project, "git", "add", "--all")
    run(project, "git", "commit", "--quiet", "--message=Answer in one line")
    run(project, "git", "push", "--quiet", "--set-upstream", "origin", "main", "v0.1.0")


def run(folder: Path, *command: str | Path) -> str:
    """Run a program that must succeed; return what it printed."""
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


class World:
    """A project, its remote, and everything that a release must leave alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.project, self.origin = folder, folder / "project", folder / "origin"

    def git(self, *words: str) -> str:
        return run(self.project, "git", *words)

    def commit(self, message: str = "More") -> None:
        """Commit all files, without a push."""
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={message}")

    def passed(self, check: bool = True, **rehearsal: object) -> Self:
        """Say that this tree was checked and rehearsed."""
        tree = self.git("rev-parse", "HEAD^{tree}")
        record = {"tree": tree, "ok": True, "mode": "all", "steps": [], "at": "2026-11-24"}
        build = self.project / "build"
        build.mkdir(exist_ok=True)
        (build / "check.json").write_text(json.dumps({**record, "ok": check}))
        rehearsed = {**record, "mode": "process", **rehearsal}
        (build / "rehearsal.json").write_text(json.dumps(rehearsed))
        return self

    def state(self) -> dict[str, object]:
        """Everything that a refused release leaves as it was, byte by byte."""
        return {
            "refs here": refs(self.project),
            "refs there": refs(self.origin),
            "index": digest(self.project / ".git" / "index"),
            "files": contents(self.project, ".git"),
            "git": {*names(self.project / ".git"), *names(self.origin)},
            "stash": self.git("stash", "list"),
            "worktrees": self.git("worktree", "list", "--porcelain"),
            "branch": (self.project / ".git" / "HEAD").read_text(),
            "processes": self.processes(),
        }

    def processes(self) -> list[str]:
        """What runs in this world's folders."""
        return [command for _, command in self._running()]

    def wait_until_quiet(self) -> None:
        wait_until(lambda: not self.processes(), LONG_SECONDS)

    def _running(self) -> Iterator[tuple[psutil.Process, str]]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if Path(process.cwd()).is_relative_to(self.folder) and process.status() != "zombie":
                    yield process, " ".join(process.cmdline())

    def releasing(self, level: str = "minor", **given: str) -> Releasing:
        return Releasing(
            self.project, ["release", f"LEVEL={level}", *(f"{k}={v}" for k, v in given.items())]
        )

    def release(self, level: str = "minor", **given: str) -> Releasing:
        """Release without a question, to the end."""
        with self.releasing(level, **({"YES": "1"} | given)) as releasing:
            releasing.wait()
        return releasing

    def hook(self, name: str, text: str, there: bool = False) -> None:
        """Install a hook here, or on the remote."""
        hooks = self.origin / "hooks" if there else self.project / ".git" / "hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / name).write_text(f"#!/bin/sh\n{text}\n")
        (hooks / name).chmod(0o755)

    def holding_hook(self, name: str, there: bool = False) -> None:
        """Install a hook that says that it runs, and goes on when it may."""
        self.hook(
            name,
            f"cat > /dev/null; touch {self.folder}/held\n"
            f"while [ ! -e {self.folder}/go ]; do sleep 0.05; done",
            there,
        )

    def unhook(self) -> None:
        """Remove all hooks on both sides."""
        for hooks in (self.project / ".git" / "hooks", self.origin / "hooks"):
            shutil.rmtree(hooks, ignore_errors=True)

    def wait_until_held(self) -> None:
        wait_until(lambda: (self.folder / "held").exists(), LONG_SECONDS)

    def go_on(self) -> None:
        (self.folder / "go").touch()

    def released(self) -> list[str]:
        """The versions that are tags of this commit on both sides, object by object."""
        here, there = refs(self.project), refs(self.origin)
        head = self.git("rev-parse", "HEAD")
        return [
            ref.removeprefix("refs/tags/")
            for ref, found in here.items()
            if ref.startswith("refs/tags/")
            and there.get(ref) == found
            and self.git("rev-parse", f"{ref}^{{commit}}") == head
            and self.git("cat-file", "-t", ref) == "tag"
        ]


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def refs(repository: Path) -> dict[str, str]:
    listed = run(repository, "git", "for-each-ref", "--format=%(refname) %(objectname)")
    return dict(line.split(" ") for line in listed.splitlines())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def contents(folder: Path, without: str) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    names_of = {str(path.relative_to(folder)): path for path in files}
    return {
        name: digest(path)
        for name, path in names_of.items()
        if not name.startswith((without, "build")) and "__pycache__" not in name
    }


def names(repository: Path) -> list[str]:
    """The files of a repository but its objects: a lock that is left behind shows."""
    return [
        str(path.relative_to(repository.parent))
        for path in repository.rglob("*")
        if "objects" not in path.parts
    ]


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[str]:
    """Serve the folder's repositories over git:// on loopback; yields the address."""
    port = free_port()
    command = ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}"]
    command += ["--export-all", "--enable=receive-pack", f"--base-path={folder}", folder]
    elsewhere = Path(tempfile.gettempdir())
    with subprocess.Popen(
        command, cwd=elsewhere, env=environment(), start_new_session=True
    ) as serving:
        try:
            wait_until(lambda: listening(port) or serving.poll() is not None, LONG_SECONDS)
            assert serving.poll() is None
            yield f"git://127.0.0.1:{port}"
        finally:
            os.killpg(serving.pid, signal.SIGTERM)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
