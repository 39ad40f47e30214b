"""CPU of a statement through SQLAlchemy with asyncpg and with psycopg 3, on a real PostgreSQL:

uv pip install --python <its .venv>/bin/python 'psycopg[binary]==3.3.9'
PYTHONPATH={{cookiecutter.project_slug}} <its .venv>/bin/python -m benchmarks.drivers

The two take turns. The figure is that of the least disturbed round: microseconds of this process.
"""

import sys
import time
from collections.abc import Awaitable, Callable

import uvloop
from sqlalchemy import BigInteger, String, select, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from vitals.ops.services.postgres import throw_away

DRIVERS, ROUNDS, TIMES = ("asyncpg", "psycopg"), 15, 300


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "items_of_the_benchmark"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))


async def measure(url: str) -> dict[str, dict[str, float]]:
    engines = {
        driver: create_async_engine(url.replace("postgresql:", f"postgresql+{driver}:"))
        for driver in DRIVERS
    }
    fill = f"INSERT INTO {Row.__tablename__} SELECT g, 'tea' FROM generate_series(1, 10000) g"
    async with engines["asyncpg"].begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(text(fill))
    seen: dict[str, dict[str, list[float]]] = {}
    for number in range(ROUNDS):
        for driver, engine in engines.items():
            sessions = async_sessionmaker(engine, expire_on_commit=False)
            for name, work in works(sessions).items():
                first = 20_000 * (1 + number * len(DRIVERS) + DRIVERS.index(driver))
                spent = seen.setdefault(name, {}).setdefault(driver, [])
                spent.append(await microseconds(work, first))
    for engine in engines.values():
        await engine.dispose()
    return {
        name: {driver: min(spent) for driver, spent in drivers.items()}
        for name, drivers in seen.items()
    }


Work = Callable[[int], Awaitable[object]]


def works(sessions: async_sessionmaker) -> dict[str, Work]:
    async def read(number: int) -> object:
        async with sessions.begin() as session:
            return await session.get(Row, number % 10_000 + 1)

    async def page(number: int) -> object:
        query = select(Row).where(Row.id > number % 9_000).order_by(Row.id).limit(20)
        async with sessions.begin() as session:
            return (await session.scalars(query)).all()

    async def write(number: int) -> object:
        async with sessions.begin() as session:
            session.add(Row(id=number, name="new"))
            return await session.flush()

    return {"a row by its key": read, "20 rows": page, "an insert": write}


async def microseconds(work: Work, first: int) -> float:
    started = time.process_time()
    for number in range(first, first + TIMES):
        await work(number)
    return (time.process_time() - started) / TIMES * 1e6


def main() -> None:
    with throw_away() as server:
        results = uvloop.run(measure(server.url))
    for name, drivers in results.items():
        ours, theirs = (drivers[driver] for driver in DRIVERS)
        line = f"{name}: asyncpg {ours:.0f} µs, psycopg {theirs:.0f} µs, {theirs / ours:.2f} x\n"
        sys.stdout.write(line)


if __name__ == "__main__":
    main()
