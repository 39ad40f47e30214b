"""SIGTERM and SIGUSR1 under servers that are not ours."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI

import vitals
from tests.engine.applications import until
from vitals import testing


class Uvicorn:
    """What of uvicorn's server a worker sees."""

    def __init__(self, **config: object) -> None:
        self.should_exit, self.signals = False, list[int]()
        self.config = SimpleNamespace(**config)

    def handle_exit(self, number: int, _: object) -> None:
        self.signals.append(number)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def under(server: Uvicorn) -> FastAPI:
    """An application whose server handles SIGTERM."""
    signal.signal(signal.SIGTERM, server.handle_exit)
    app = FastAPI()
    vitals.install(app, environment="local")
    return app


async def process(client: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/health")).json()["process"]
    return found


async def test_uvicorn_hears_of_sigterm_once_and_after_the_drain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Uvicorn()
    app = under(server)
    async with testing.client(app) as client:
        monkeypatch.setattr(app.state.vitals._drain, "seconds", 0.2)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: app.state.vitals.checks.failing())

        ready = await client.get("/readyz")
        assert (ready.status_code, ready.headers["connection"]) == (503, "close")
        assert server.signals == []
        await until(lambda: server.signals)

    assert server.signals == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == server.handle_exit


async def test_health_says_which_server_it_is_and_how_long_it_drains() -> None:
    async with testing.client(under(Uvicorn())) as client:
        assert await process(client) == {"server": "tests", "lifespan": True, "drain_seconds": 5}


async def test_while_code_is_reloaded_nothing_is_drained() -> None:
    async with testing.client(under(Uvicorn(reload=True))) as client:
        assert (await process(client))["drain_seconds"] == 0


async def test_the_handler_of_another_server_stays() -> None:
    def own(*_: object) -> None: ...

    signal.signal(signal.SIGTERM, own)
    app = FastAPI()
    vitals.install(app, environment="local")

    async with testing.client(app) as client:
        assert signal.getsignal(signal.SIGTERM) is own
        assert await process(client) == {"server": "unknown", "lifespan": True, "drain_seconds": 0}


async def test_several_workers_without_a_folder_are_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for workers in (1, 2):
        async with testing.client(under(Uvicorn(workers=workers))):
            assert ("describe one worker. Fix" in caplog.text) == (workers == 2)


@pytest.mark.parametrize("taken", [False, True])
async def test_a_remedy_names_sigusr1_only_where_it_writes_stacks(
    caplog: pytest.LogCaptureFixture, *, taken: bool
) -> None:
    if taken:  # as gunicorn does, to reopen its log
        signal.signal(signal.SIGUSR1, lambda *_: None)
    app = under(Uvicorn())
    async with testing.client(app):
        loop = app.state.vitals._event_loop
        loop._worst = 1.0
        await until(lambda: "the event loop was blocked" in caplog.text)
        with caplog.at_level(logging.WARNING):
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0)  # a signal is handled between two steps

    assert (f"kill -USR1 {os.getpid()}" in caplog.text) != taken
    assert ("stacks of all threads and tasks" in caplog.text) != taken
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL or taken
