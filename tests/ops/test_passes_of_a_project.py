"""A fault in a project whose check passed is found, by the step that looks for it."""

import datetime as dt
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.baking import environment, generate, make, set_up, tag

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("passes")]

ONE_STEP = """
import sys
from vitals.ops.check import check
check.STEPS = {sys.argv[1]: check.STEPS[sys.argv[1]]}
sys.exit(check.everything())
"""
IN_DAYS = """
import datetime as dt, sys
from vitals.ops.check.security import __main__ as security, checklist
from vitals.ops.run import steps
left, days = checklist.left, dt.timedelta(days=int(sys.argv[1]))
checklist.left = lambda report, accepted, today: left(report, accepted, today + days)
steps.exit_with(lambda: steps.say(security.look()))
"""
MIGRATION = """
revision = "planted"
down_revision = "8c41f0a2be95"


def upgrade() -> None:
    from alembic import op

    op.drop_table("items")
"""
KEY = "aws_access_key_id = AKIA" + "Q3EGZB7RLWXNT5VD"
ACCEPTED = """
[[accepted]]
id = "SEC-608"
place = "deploy/Dockerfile"
owner = "me"
reason = "a test"
until = {until}
"""
Plant = Callable[[Path], object]


def added(name: str, text: str) -> Plant:
    """A fault that is text at the end of a file, which may be a new one."""

    def plant(project: Path) -> None:
        with (project / name).open("a", encoding="utf-8") as file:
            file.write(text)

    return plant


def replaced(name: str, old: str, new: str) -> Plant:
    def plant(project: Path) -> None:
        text = (project / name).read_text(encoding="utf-8")
        assert old in text
        (project / name).write_text(text.replace(old, new), encoding="utf-8")

    return plant


FAULTS: dict[str, tuple[str, Plant]] = {
    "lint": ("lint", added("app/planted.py", "import os\n")),
    "types": ("types", added("app/items/models.py", '\nplanted: int = "1"\n')),
    "unit": ("unit", replaced("app/items/store.py", "self._items[", "self._others[")),
    "unit, by a document": ("unit", replaced("RUNBOOK.md", "## TargetAway", "## Target")),
    "integration": ("integration", replaced("app/__main__.py", "vitals.main(", "vitals.no(")),
    "config": ("config", added("config/production.env", "APP_DOCS=maybe\n")),
    "schema": ("schema", added("migrations/versions/planted.py", MIGRATION)),
    "api": ("api", replaced("docs/openapi.json", '"maximum": 100', '"maximum": 99')),
    "security, of the service": ("security", added("config/common.env", "APP_DOCS=true\n")),
    "security, of the repository": ("security", replaced("deploy/Dockerfile", "\nUSER ", "\n# ")),
    "security, by a document": ("security", added("docs/planted.md", KEY)),
    "notes": ("notes", added("app/main.py", "# planted\n")),
    "engine": ("engine", lambda project: (project / "vitals/MANIFEST").unlink()),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release, whose check passed."""
    made = generate(tmp_path_factory.mktemp("project"))
    set_up(made)
    tag(made, "v0.1.0")
    done = make(made, "check")
    assert done.returncode == 0, done.stdout
    return made


@pytest.fixture
def clean(project: Path) -> Iterator[Path]:
    """The project, which is as it was after the test."""
    yield project
    for words in (("checkout", "--quiet", "--", "."), ("clean", "--quiet", "-d", "--force")):
        subprocess.run(["git", *words], cwd=project, check=True)


def run(project: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run code in the project as `make` does."""
    return subprocess.run(
        [".venv/bin/python", "-c", code, *words],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_second_check_runs_only_what_changes_by_itself(clean: Path) -> None:
    done = make(clean, "check")

    assert done.returncode == 0
    assert done.stdout.count("ok (unchanged)") == len(check_steps(done.stdout)) - 1
    assert "unchanged: service, repository" in done.stdout


def check_steps(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize(("step", "plant"), FAULTS.values(), ids=FAULTS)
def test_a_fault_after_a_pass_is_found(step: str, plant: Plant, clean: Path) -> None:
    before = run(clean, ONE_STEP, step)
    assert "unchanged" in before.stdout, before.stdout + before.stderr

    plant(clean)
    done = run(clean, ONE_STEP, step)

    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{step}  FAILED" in done.stdout


def test_an_exception_that_expires_after_a_pass_is_found(clean: Path) -> None:
    replaced("deploy/Dockerfile", "\nUSER ", "\n# ")(clean)
    until = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    added("config/security-accepted.toml", ACCEPTED.format(until=until))(clean)

    first, again = run(clean, IN_DAYS, "0"), run(clean, IN_DAYS, "1")
    expired = run(clean, IN_DAYS, "3")

    assert (first.returncode, again.returncode) == (0, 0), first.stdout + first.stderr
    assert "unchanged: service, repository" in again.stdout
    assert "SEC-001 SEC-608 deploy/Dockerfile: accepted" in expired.stdout
    assert expired.returncode == 1
