import subprocess
from pathlib import Path

import pytest
from alembic.script import Script, ScriptDirectory
from vitals.ops.check import schema
from vitals.ops.run import git, shell

MIGRATION = '''
"""a change"""

import sqlalchemy as sa
from alembic import op

revision = "b"
down_revision = "a"


def upgrade() -> None:
    {upgrade}
'''
NAMED = {"items": {"id": False, "name": False, "note": True}}
REFUSED = [
    'op.drop_table("items")',
    'op.rename_table("items", "things")',
    'op.drop_column("items", "name")',
    'op.alter_column("items", "name", new_column_name="title")',
    'op.add_column("items", sa.Column("size", sa.Integer(), nullable=False))',
    'op.alter_column("items", "note", nullable=False)',
    'op.alter_column("items", "size", nullable=False)',
    'op.execute("ALTER TABLE items DROP COLUMN name")',
    'op.execute("alter table public.items rename name to title")',
    'op.execute("DROP TABLE IF EXISTS items CASCADE")',
]
ALLOWED = [
    'op.drop_table("things")',
    'op.drop_column("items", "size")',
    'op.drop_column("things", "name")',
    'op.alter_column("items", "size", new_column_name="width")',
    'op.add_column("items", sa.Column("size", sa.Integer(), nullable=True))',
    'op.add_column("items", sa.Column("size", sa.Integer(), nullable=False, server_default="1"))',
    'op.add_column("things", sa.Column("size", sa.Integer(), nullable=False))',
    'op.alter_column("items", "name", nullable=False)',
    'op.alter_column("items", "name", nullable=True)',
    'op.create_table("more", sa.Column("id", sa.Integer(), nullable=False))',
    'op.create_index("by_name", "items", ["name"])',
    'op.execute("UPDATE items SET note = name")',
    'op.execute("ALTER TABLE items RENAME CONSTRAINT a TO b")',
]


def written(folder: Path, upgrade: str) -> Script:
    (folder / "versions").mkdir(parents=True)
    for name, text in (
        ("a", 'revision = "a"\ndown_revision = None\n'),
        ("b", MIGRATION.format(upgrade=upgrade)),
    ):
        (folder / "versions" / f"{name}.py").write_text(text)
    return next(iter(ScriptDirectory(str(folder)).walk_revisions()))


def found(folder: Path, upgrade: str) -> list[str]:
    script = written(folder, upgrade)
    return list(schema.against(schema._sql(script), NAMED, script, "v1.2.0"))


@pytest.mark.parametrize("upgrade", REFUSED)
def test_what_the_last_release_can_not_run_on_is_refused(upgrade: str, tmp_path: Path) -> None:
    [fault] = found(tmp_path, upgrade)

    assert fault.startswith("b.py: found")
    assert "v1.2.0" in fault


@pytest.mark.parametrize("upgrade", ALLOWED)
def test_what_the_last_release_does_not_notice_is_allowed(upgrade: str, tmp_path: Path) -> None:
    assert found(tmp_path, upgrade) == []


def test_a_migration_that_asks_the_database_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(schema.Refused, match=r"b\.py asks the database"):
        found(tmp_path, 'op.get_bind().execute(sa.text("SELECT 1")).scalar()')


def test_the_last_release_of_this_project_can_work_on_the_schema_of_this_tree() -> None:
    assert schema.faults() == []


def test_a_release_is_held_to_what_its_own_code_names(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here `price_cents` is named by v1 and dropped by the tree."""
    for name in ("app", "migrations"):
        subprocess.run(["cp", "-r", shell.ROOT / name, repository / name], check=True)
    git.git("add", "--all")
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    git.git(*who, "commit", "--quiet", "--message", "first")
    git.git(*who, "tag", "v1.0.0", "--annotate", "--message", "first")
    monkeypatch.setattr("vitals.ops.release.releases.FOLDER", repository / "build")
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", repository)
    head = ScriptDirectory(str(repository / "migrations")).get_current_head()
    text = MIGRATION.format(upgrade='op.drop_column("items", "price_cents")')
    dropped = repository / "migrations" / "versions" / "b.py"
    dropped.write_text(text.replace('"a"', repr(head)))

    [fault] = schema.faults()

    assert "DROP COLUMN price_cents" in fault
