"""Update of a project that was made before `app/` and `vitals/`: nothing of its team is lost.

The old project's own `make update` runs. Its template is a scratch repository: v0.1.0 is the last
commit before the two floors, v0.2.0 the present tree.
"""

import functools
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import baking
from tests.baking import ROOT, SCRATCH, VARIANTS
from tests.release.world import append, run
from tests.update.versions import commit, edit, files, generate, release, started, status, tools
from tests.update.work import lines

LAST_WITH_ONE_FLOOR = "79cff9b6a17c5a802dfa57e041374509d2400126"
OLD, NEW = "v0.1.0", "v0.2.0"
TAKE_IN = """
import sys
from ops import steps, update
steps.exit_with(lambda: update.take_in(*sys.argv[1:]) and None)
"""
FIELD = '    colour: Line = Field("brown", max_length=20)\n'
ROUTE = '''
    @routes.get("/{item_id}/colour", openapi_extra=PUBLIC)
    async def read_colour(item_id: ItemId) -> str:
        """The colour of an item."""
        return _found(await store.get(item_id), item_id).colour

'''
SETTING = '''    greeting: str = Field("hello", min_length=1)
    """what the service says to visitors"""
'''
VARIABLE = "APP_GREETING=hello\n"
TITLE = '    418: "A teapot was asked for coffee",\n'
EDITS = {  # file: the text after which the team's lines stand, and these lines
    "app/items/models.py": ("    price: Price\n", FIELD),
    "app/items/routes.py": ('    writers = [Depends(allows("items:write"))]\n', ROUTE),
    "app/settings.py": ('    """the commit that this is built from"""\n', SETTING),
    "config/common.env": ("APP_PORT=8000\n", VARIABLE),
    "app/errors.py": ('    415: "This kind of content is not taken",\n', TITLE),
}


@functools.cache
def template() -> Path:
    """The template's repository with both versions. Fails in a clone without the old commit."""
    repository = Path(tempfile.mkdtemp(dir=SCRATCH)) / "vitals"
    repository.mkdir()
    run(repository, "git", "init", "--quiet", "--initial-branch=main")
    archive = repository.parent / "old.tar"
    run(ROOT, "git", "archive", f"--output={archive}", LAST_WITH_ONE_FLOOR)
    with tarfile.open(archive) as old:
        old.extractall(repository)
    release(repository, OLD)
    run(repository, "git", "rm", "-r", "--quiet", "--force", ".")
    for name in baking.template_files():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, repository / name)
    release(repository, NEW)
    return repository


class Updated(NamedTuple):
    project: Path
    code: int
    output: str

    def conflicts(self) -> list[str]:
        """The files that git has not merged."""
        return run(self.project, "git", "diff", "--name-only", "--diff-filter=U").splitlines()


def updated(project: Path) -> Updated:
    """Run the old project's `make update` up to its check."""
    done = subprocess.run(
        [sys.executable, "-c", TAKE_IN, str(template()), NEW],
        cwd=project,
        env=tools(PYTHONDONTWRITEBYTECODE="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return Updated(project, done.returncode, done.stdout)


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_unedited_project_becomes_what_is_generated_fresh(tmp_path: Path, variant: str):
    old = started(OLD, f"git+file://{template()}", **VARIANTS[variant])
    project = shutil.copytree(old, tmp_path / "project", symlinks=True)

    done = updated(project)

    assert done.code == 0, done.output
    fresh = files(generate(NEW, f"git+file://{template()}", **VARIANTS[variant]))
    assert sorted(files(project)) == sorted(fresh)
    assert files(project) == fresh


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Updated:
    """A project with the team's edits, after its update."""
    folder = tmp_path_factory.mktemp("edited")
    project = shutil.copytree(
        started(OLD, f"git+file://{template()}"), folder / "project", symlinks=True
    )
    for name, (after, added) in EDITS.items():
        edit(project / name, after, after + added)
    append(project / "README.md", "\n## Ours\n\nWe sell coffee.\n")
    commit(project, "Our own")
    return updated(project)


def test_each_conflict_of_an_edited_project_is_reported(edited: Updated):
    reported = [line.split()[0] for line in edited.output.splitlines() if line[:2] == "  "]

    assert edited.code == 1, edited.output
    assert edited.conflicts() != []
    assert sorted(set(edited.conflicts())) == sorted(reported)
    assert "git reset --hard" in edited.output


@pytest.mark.parametrize("name", EDITS)
def test_each_line_of_the_team_is_still_in_the_tree(edited: Updated, name: str):
    own = {line for line in EDITS[name][1].splitlines() if line}

    assert own - lines(edited.project) == set()


def test_nothing_is_committed_and_the_way_back_is_one_command(edited: Updated, tmp_path: Path):
    project = shutil.copytree(edited.project, tmp_path / "project", symlinks=True)
    message = run(project, "git", "log", "-1", "--format=%s")

    run(project, "git", "reset", "--quiet", "--hard")

    assert message == "Our own"
    assert status(project) == ""
    assert "We sell coffee." in (project / "README.md").read_text()
