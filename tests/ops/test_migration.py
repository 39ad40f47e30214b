import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests import baking
from vitals.ops.project import migration
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused


def test_a_migration_without_a_name_is_refused() -> None:
    with pytest.raises(Refused, match="make migration NAME="):
        migration.write(" ")


def test_a_migration_without_a_database_is_refused_with_its_address() -> None:
    nobody = f"postgresql://app:hidden@127.0.0.1:{shell.free_port()}/gone"

    with pytest.raises(Refused) as refused:
        migration.apply({"APP_DATABASE_URL": nobody})

    assert "expected a database that answers" in refused.value.output
    assert "hidden" not in refused.value.output
    assert "Traceback" not in refused.value.output


COPIES_ITEMS = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "copied", "8c41f0a2be95"

def upgrade() -> None:
    with op.batch_alter_table("items", recreate="always") as batch:
        batch.add_column(sa.Column("colour", sa.String(20), nullable=True))
"""


def test_a_table_that_sqlite_copies_keeps_the_rows_that_refer_to_it(tmp_path: Path) -> None:
    project, file = Path(shutil.copytree(baking.bake(), tmp_path / "orders")), tmp_path / "some.db"
    upgrade(project, file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO items (id, name, price_cents) VALUES (1, 'tea', 1)")
        connection.execute("INSERT INTO attachments VALUES (1, 'text/plain', 'x')")
    (project / "migrations" / "versions" / "copied.py").write_text(COPIES_ITEMS)

    upgrade(project, file)

    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT colour, item_id FROM items, attachments").fetchall() == [
            (None, 1)
        ]


def upgrade(project: Path, file: Path) -> None:
    environment = baking.environment(
        APP_ENVIRONMENT="test", APP_DATABASE_URL=f"sqlite:///{file}", PYTHONPATH=""
    )
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(command, cwd=project, env=environment, check=True)


def test_a_new_migration_is_named_with_what_to_do_and_an_empty_one_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Path(shutil.copytree(baking.bake(), tmp_path / "orders"))
    monkeypatch.setattr(shell, "ROOT", project)
    monkeypatch.setenv("PYTHONPATH", str(project))
    monkeypatch.setenv("APP_DATABASE_URL", f"sqlite:///{tmp_path / 'some.db'}")

    empty = migration.write("nothing")
    models = project / "app" / "items" / "store_database.py"
    models.write_text(models.read_text().replace("String(100)", "String(200)"))
    written = migration.write("longer names")

    assert re.fullmatch(r"migrations/versions/\w+_nothing\.py: empty, as the database .*", empty)
    assert re.fullmatch(r"migrations/versions/\w+_longer_names\.py: read it before .*", written)
