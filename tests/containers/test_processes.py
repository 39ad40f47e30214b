"""The rehearsal that needs only Python, in a project with a released version."""

import json
import re
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.baking import VARIANTS, wait_until
from tests.containers.released import Released, commit, git

MIGRATION = '''"""a change"""

import sqlalchemy as sa
from alembic import op

revision = "4b30f8734dd8"
down_revision = "HEAD"


def upgrade() -> None:
    op.add_column("items", sa.Column("note", sa.String(length=200), nullable=True))
'''


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """A project with v0.1.0 and a migration since."""
    released = Released(tmp_path_factory.mktemp("changed"))
    released.release("v0.1.0")
    versions = released.project / "migrations" / "versions"
    text = "".join(file.read_text() for file in versions.glob("*.py"))
    down = re.findall(r"^down_revision.*= \"(\w+)\"", text, re.MULTILINE)
    [head] = set(re.findall(r"^revision.*= \"(\w+)\"", text, re.MULTILINE)) - set(down)
    (versions / "20991231_0001_add_note.py").write_text(MIGRATION.replace("HEAD", head))
    commit(released.project, "Add a note")
    return released


def test_the_last_release_works_on_the_new_schema_without_a_failed_request(
    changed: Released,
) -> None:
    done = changed.run("vitals.ops.deploy.rehearse")

    assert done.returncode == 0, done.stdout
    print(done.stdout)
    began = time.monotonic()
    assert changed.run("vitals.ops.deploy.rehearse").returncode == 0
    print(f"a rehearsal with everything installed: {time.monotonic() - began:.1f} s of 60")
    record = json.loads((changed.project / "build" / "rehearsal.json").read_text())
    assert record["tree"] == git(changed.project, "rev-parse", "HEAD^{tree}")
    assert (record["ok"], record["mode"], record["from"]) == (True, "process", "v0.1.0")
    assert record["failed"] == 0
    assert record["requests"] >= 200
    assert "not rehearsed: the image" in done.stdout


def test_a_new_migration_that_locks_a_table_for_long_fails_the_check(changed: Released) -> None:
    new = changed.project / "migrations" / "versions" / "20991231_0002_index.py"
    text = new.with_name("20991231_0001_add_note.py").read_text()
    text = text.replace('down_revision = "8c41f0a2be95"', 'down_revision = "4b30f8734dd8"')
    text = text.replace('\nrevision = "4b30f8734dd8"', '\nrevision = "5b30f8734dd8"')
    index = '    op.create_index("by_name", "items", ["name"])'
    new.write_text(re.sub("(?m)^    op.*", index, text))
    try:
        locked = changed.run("vitals.ops.check.schema")
        new.write_text(new.read_text().replace("by_name", "ix").replace('"items"', '"others"'))
        not_locked = changed.run("vitals.ops.check.schema")
    finally:
        new.unlink()

    assert locked.returncode == 1
    assert "CREATE INDEX by_name ON items" in locked.stdout
    assert "postgresql_concurrently=True" in locked.stdout
    assert (not_locked.returncode, not_locked.stdout) == (0, "2 migrations since v0.1.0\n")


def test_it_passes_before_the_first_release_and_without_dependencies(
    tmp_path: Path,
) -> None:
    released = Released(tmp_path, **VARIANTS["plain"], deploy="kubernetes")

    done = released.run("vitals.ops.deploy.rehearse")

    assert done.returncode == 0, done.stdout


def test_a_killed_rehearsal_leaves_no_process_and_no_folder(changed: Released) -> None:
    with changed.start("vitals.ops.deploy.rehearse") as process:
        assert process.stdout
        assert any(line.startswith("deploy this tree") for line in process.stdout)
        started = psutil.Process(process.pid).children(recursive=True)
        words = [word for each in started for word in each.cmdline()]
        folder = next(Path(word).parent for word in words if word.endswith("/caddy.json"))
        process.send_signal(signal.SIGKILL)

    wait_until(lambda: not any(each.is_running() for each in started), within_seconds=30)
    wait_until(lambda: not folder.exists(), within_seconds=30)


def test_a_version_that_breaks_clients_of_the_last_release_fails_the_rehearsal(
    changed: Released,
) -> None:
    """The description doesn't show it."""
    routes = changed.project / "app" / "items" / "routes.py"
    before = routes.read_text()
    title = '"""Replace the contents of an item."""\n'
    routes.write_text(before.replace(title, f"{title}        1 / 0\n"))
    try:
        done = changed.run("vitals.ops.deploy.rehearse")
    finally:
        routes.write_text(before)

    assert "PUT /items/{item_id}: answered 500, before 200" in done.stdout
    assert done.returncode == 1
