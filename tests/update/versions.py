"""Versions of the template, and projects to update, for the tests of `make update`.

The template's repository is a throw-away clone of this one with its tags: NOW is the template as it
is here, NEXT has every kind of change that a later version can have.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import baking
from tests.baking import FOLDER, ROOT, SCRATCH, environment
from tests.release.world import append, contents, run
from vitals.ops.check import engine
from vitals.ops.release import versions

EARLIER = versions.sort(run(ROOT, "git", "tag", "--list").split())
NOW = versions.following(next(iter(EARLIER), None), "minor")
NEXT = versions.following(NOW, "minor")
CHANGED = {  # file: the present text, the text of the later version
    "cookiecutter.json": [
        (
            '"ci": ["github", "gitlab", "none"],',
            '"ci": ["github", "gitlab", "none"],\n"region": "eu",',
        ),
        ('"__prompts__": {', '"__prompts__": {"region": "Where it runs, e.g. eu",'),
    ],
    f"{FOLDER}/.vitals.json": [
        (
            '"{{ cookiecutter.ci }}"',
            '"{{ cookiecutter.ci }}",\n    "region": "{{ cookiecutter.region }}"',
        )
    ],
    f"{FOLDER}/app/items/models.py": [("2**63 - 1", "(1 << 63) - 1")],
    f"{FOLDER}/app/items/routes.py": [
        ("items.store import ItemStore", "items.store import ItemStore  # a protocol")
    ],
    f"{FOLDER}/deploy/compose.yaml": [("image: postgres:18\n", "image: postgres:19\n")],
    f"{FOLDER}/pyproject.toml": [
        ('    "watchfiles>=1.1",\n', ""),
        ('    "uvicorn>=0.54",\n', '    "uvicorn>=0.54",\n    "watchfiles>=1.1",\n'),
    ],
}
MOVED = ("tests/unit/items/test_attachments.py", "tests/unit/items/test_files.py")
DELETED = ".editorconfig"
ENGINE_FILE = "vitals/ops/slo.py"
PACKAGE = re.compile(r"^([\w.-]+)==.*(?:\n .*)*", re.MULTILINE)
TAKE_IN = """
import sys
from vitals.ops.project import update; from vitals.ops.run import steps
steps.exit_with(lambda: update.take_in(*sys.argv[1:]) and None)
"""


def packages(lock: str) -> dict[str, str]:
    """The lock's text for each package: one entry, or one for each Python."""
    found: dict[str, str] = {}
    for entry in PACKAGE.finditer(lock):
        found[entry[1]] = "\n".join(filter(None, (found.get(entry[1]), entry[0])))
    return found


def add_to_lock(path: Path, *entries: str) -> None:
    """Insert packages where a renewed lock has them."""
    known = packages(path.read_text()) | {packages(entry).popitem()[0]: entry for entry in entries}
    path.write_text("\n".join(known[name] for name in sorted(known)) + "\n")


def edit(path: Path, there: str, instead: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(there) == 1, f"{path}: {there!r}"
    path.write_text(text.replace(there, instead), encoding="utf-8")


def commit(repository: Path, message: str) -> None:
    run(repository, "git", "add", "--all")
    options = ["--quiet", "--no-verify", "--allow-empty"]
    run(repository, "git", "commit", *options, f"--message={message}")


@functools.cache
def repository() -> Path:
    """The template's repository: each version can be generated from it."""
    template = Path(tempfile.mkdtemp(dir=SCRATCH)) / "vitals"
    run(ROOT, "git", "clone", "--quiet", "--no-checkout", ROOT, template)
    run(template, "git", "read-tree", "--empty")
    for name in baking.template_files():
        (template / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, template / name)
    release(template, NOW)
    move_on(template)
    release(template, NEXT)
    return template


def release(template: Path, version: str) -> None:
    commit(template, version)
    run(template, "git", "tag", "--annotate", f"--message={version}", version)


def move_on(template: Path) -> None:
    """Make every kind of change that a later version can have."""
    for name, edits in CHANGED.items():
        for there, instead in edits:
            edit(template / name, there, instead)
    project = template / FOLDER
    run(project, "git", "mv", *MOVED)
    (project / DELETED).unlink()
    append(project / ENGINE_FILE, "# renewed\n")
    (project / engine.MANIFEST).write_text(engine.text(project))
    watchfiles = packages((project / "requirements-dev.txt").read_text())["watchfiles"]
    for lock in (project, *(project / "locks").iterdir()):
        add_to_lock((lock if lock.is_dir() else lock.parent) / "requirements.txt", watchfiles)


def generate(version: str, address: str = "", **answers: str) -> Path:
    """Generate a project from a version, by address or else from a clone."""
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    if not address:
        address = str(folder / "clone")
        run(folder, "git", "clone", "--quiet", f"--branch={version}", repository(), "clone")
    config = {"cookiecutters_dir": str(folder / "clones"), "replay_dir": str(folder / "replay")}
    (folder / "config.yaml").write_text(json.dumps(config))
    options = ["--no-input", "--config-file", folder / "config.yaml", "--checkout", version]
    options += [f"{question}={answer}" for question, answer in answers.items()]
    run(
        folder,
        Path(sys.executable).parent / "cookiecutter",
        address,
        "-o",
        folder / "made",
        *options,
    )
    (project,) = (folder / "made").iterdir()
    return project


@functools.cache
def started(version: str, address: str = "", **answers: str) -> Path:
    """A project that was committed as it was generated. Do not change it."""
    project = generate(version, address, **answers)
    run(project, "git", "init", "--quiet", "--initial-branch=main")
    commit(project, "Start")
    return project


def files(project: Path) -> dict[str, str]:
    return contents(project, ".git/")


def tools(**changed: str) -> dict[str, str]:
    """The environment of a user who has the programs of the template's .venv, uv included."""
    return environment(PATH=f"{os.environ['PATH']}:{Path(sys.executable).parent}", **changed)


def take_in(
    project: Path, address: str | Path, version: str = "", answers: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the part of `make update` before its check; `stdout` holds the output."""
    return subprocess.run(
        [sys.executable, "-c", TAKE_IN, str(address), version, answers],
        cwd=project,
        env=tools(PYTHONDONTWRITEBYTECODE="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )


def status(project: Path) -> str:
    return run(project, "git", "status", "--porcelain")
