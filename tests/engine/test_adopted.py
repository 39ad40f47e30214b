"""Engines, clients and checks that an application has before the engine is installed."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

import vitals
from tests.engine.applications import Lines, until
from tests.engine.test_cache_stores import Server, listening
from vitals import testing


def checks(app: FastAPI) -> dict[str, tuple[bool, str]]:
    states = app.state.vitals.checks.states()
    return {state.name: (state.up, state.reason) for state in states if state.name != "event loop"}


async def test_statements_of_any_engine_are_counted_and_each_is_checked(tmp_path: Path) -> None:
    app, early = FastAPI(), create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    aio = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'b.db'}")
    vitals.install(app, databases=[early, lambda: aio], required=["database"])
    late = create_engine(f"sqlite:///{tmp_path / 'c.db'}")
    lines = Lines(app)

    @app.get("/sync")
    def sync() -> None:
        for engine in (early, late):
            with engine.begin() as connection:
                connection.execute(text("SELECT 1"))

    @app.get("/async")
    async def asynchronous() -> None:
        async with aio.begin() as connection:
            for _ in range(3):
                await connection.execute(text("SELECT 2"))

    async with testing.client(app) as client:
        await client.get("/sync")
        assert lines.last()["db_calls"] == 2
        await client.get("/async")
        assert (lines.last()["db_calls"], lines.last()["db_repeats"]) == (3, 3)
        found = {name: up for name, (up, _) in checks(app).items() if name.startswith("database")}
        assert found == {"database": True, "database-2": True}
        assert "db_client_connections_max" in await app.state.vitals._metrics.text()
    await aio.dispose()
    for engine in (early, late):
        engine.dispose()


async def test_a_pool_that_a_lifespan_opens_is_checked_after_it() -> None:
    pools = dict[str, Any]()
    app = FastAPI()
    vitals.install(app, databases=[lambda: pools.get("main")], required=["database"])

    async with testing.lifespan(app):
        assert checks(app)["database"] == (False, "it is not open yet")
        assert "database" in app.state.vitals.checks.failing()


async def test_commands_of_redis_are_counted() -> None:
    app, server = FastAPI(), Server()
    server.answers = lambda _: b"+OK\r\n"
    async with listening(server) as url:
        options: dict[str, Any] = {"protocol": 2, "driver_info": None}
        aio = redis.asyncio.Redis.from_url(url, **options)
        sync = redis.Redis.from_url(url, **options)
        vitals.install(app, redis=[aio])
        lines = Lines(app)

        @app.get("/async")
        async def asynchronous() -> None:
            await aio.set("a", "1")
            async with aio.pipeline(transaction=False) as pipeline:
                pipeline.set("b", "2")
                pipeline.set("c", "3")
                await pipeline.execute()

        @app.get("/sync")
        def synchronous() -> None:
            sync.set("a", "1")

        async with testing.client(app) as client:
            await client.get("/async")
            assert lines.last()["redis_calls"] == 2
            await client.get("/sync")
            assert lines.last()["redis_calls"] == 1
            assert checks(app)["redis"] == (True, "")
        await aio.aclose()
        await asyncio.to_thread(sync.close)


async def test_a_function_that_raises_is_a_check() -> None:
    def disk() -> None:
        raise OSError("no space left")

    async def queue() -> None: ...

    app = FastAPI()
    vitals.install(app, checks=[disk, queue])

    async with testing.lifespan(app):
        assert checks(app)["disk"] == (False, "OSError: no space left")
        assert checks(app)["queue"] == (True, "")


async def test_a_check_that_hangs_in_a_thread_takes_no_second_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def disk() -> None:
        started.append(threading.get_ident())
        assert goes_on.wait(20)

    for name in ("INTERVAL_SECONDS", "DEADLINE_SECONDS"):
        monkeypatch.setattr(f"vitals.health.checks.{name}", 0.02)
    app, started, goes_on = FastAPI(), list[int](), threading.Event()
    vitals.install(app, checks=[disk])

    async with testing.lifespan(app):
        since = app.state.vitals.checks.states()[0].checked_at
        await until(lambda: app.state.vitals.checks.states()[0].checked_at > since + 0.2)
        assert len(started) == 1
        assert checks(app)["disk"] == (False, "no result within 0.02 s")
        goes_on.set()
        await until(lambda: checks(app)["disk"][0])


async def test_a_call_is_counted_also_when_it_fails() -> None:
    with pytest.raises(LookupError), vitals.call("http", "payments"):
        raise LookupError
    async with testing.cost() as cost:
        with vitals.call("http", "payments"):
            pass

    assert cost.total("http")[0] == 1
