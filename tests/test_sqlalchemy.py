"""SQLAlchemy's documented ways to read rows pass the gates of a project."""

import shutil
import subprocess
import sys

import pytest

from tests import baking

STORE = '''
"""Rows, read in each documented way."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy import BigInteger, ForeignKey, Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.tables import Base


class UserRow(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str]


class ArticleRow(Base):
    __tablename__ = "articles"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    title: Mapped[str | None]
    author_id: Mapped[int] = mapped_column(ForeignKey(UserRow.id))


class Article(BaseModel):
    id: int
    title: str | None
    author: str
    is_new: bool
    articles: int


def articles() -> Select[int, str | None, str, bool, int]:
    return (
        select(
            ArticleRow.id,
            ArticleRow.title,
            UserRow.name.label("author"),
            (ArticleRow.id > 1).label("is_new"),
            func.count().over().label("articles"),
        )
        .join(UserRow, UserRow.id == ArticleRow.author_id)
        .order_by(ArticleRow.id)
    )


def page(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return query.limit(20)


async def by_mapping(session: AsyncSession) -> list[Article]:
    rows = await session.execute(articles())
    return [Article.model_validate(row._mapping) for row in rows]


async def by_mappings(session: AsyncSession) -> list[Article]:
    rows = await session.execute(page(articles()))
    return [Article.model_validate(row) for row in rows.mappings()]


async def by_dictionary(session: AsyncSession) -> list[Article]:
    return [Article(**row._asdict()) for row in await session.execute(articles())]


async def by_name(session: AsyncSession) -> list[tuple[int, str]]:
    return [(row.id, row.author) for row in await session.execute(articles())]


async def by_unpacking(session: AsyncSession) -> list[tuple[int, str, bool]]:
    rows = await session.execute(articles())
    return [(id_, author, is_new) for id_, _, author, is_new, _ in rows]


async def all_rows(session: AsyncSession) -> Sequence[Row[int, str | None, str, bool, int]]:
    return (await session.execute(articles())).all()


async def names(session: AsyncSession) -> dict[int, str]:
    return dict((await session.execute(select(UserRow.id, UserRow.name))).all())


async def names_by_tuple(session: AsyncSession) -> dict[int, str]:
    rows = await session.execute(select(UserRow.id, UserRow.name))
    return dict(row._tuple() for row in rows)


async def names_by_old_tuple(session: AsyncSession) -> dict[int, str]:
    rows = await session.execute(select(UserRow.id, UserRow.name))
    return dict(row.tuple() for row in rows)
'''

TEST = '''
"""Rows, read from an empty and a full table."""

from pathlib import Path

from app import rows
from app.tables import Base
from tests.database import database_in


async def test_each_way_reads_the_same(tmp_path: Path) -> None:
    async with database_in(tmp_path) as database, database.transaction() as session:
        await (await session.connection()).run_sync(Base.metadata.create_all)
        session.add(rows.UserRow(id=1, name="Ada"))
        await session.flush()
        session.add(rows.ArticleRow(id=2, title=None, author_id=1))
        await session.flush()

        article = rows.Article(id=2, title=None, author="Ada", is_new=True, articles=1)
        for read in (rows.by_mapping, rows.by_mappings, rows.by_dictionary):
            assert await read(session) == [article]
        assert await rows.by_name(session) == [(2, "Ada")]
        assert await rows.by_unpacking(session) == [(2, "Ada", True)]
        assert [tuple(row) for row in await rows.all_rows(session)] == [(2, None, "Ada", True, 1)]
        for read_names in (rows.names, rows.names_by_tuple, rows.names_by_old_tuple):
            assert await read_names(session) == {1: "Ada"}
'''


@pytest.mark.slow
def test_lint_types_and_tests_accept_each_documented_way_to_read_rows(tmp_path):
    project = tmp_path / "project"
    shutil.copytree(baking.bake(**baking.VARIANTS["database"]), project)
    (project / "app" / "rows.py").write_text(STORE.lstrip(), encoding="utf-8")
    test = project / "tests" / "unit" / "test_rows.py"
    test.write_text(TEST.lstrip(), encoding="utf-8")

    for command in (
        ("ruff", "check", "app/rows.py", "tests/unit/test_rows.py"),
        ("ruff", "format", "--check", "app/rows.py", "tests/unit/test_rows.py"),
        ("pyrefly", "check", "--python-interpreter-path", sys.executable),
        ("pytest", "-p", "no:cacheprovider", "tests/unit/test_rows.py"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=project,
            env=baking.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
