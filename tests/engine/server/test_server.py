"""The running server: its drain, and its stop, which always ends."""

import logging
import os
import resource
import signal

import pytest

from tests.engine.applications import until
from tests.engine.server.served import serving
from vitals.server import server


async def test_at_sigterm_it_is_not_ready_but_serves_and_closes_what_it_answers() -> None:
    async with serving(drain_seconds=30) as served:
        running, idle = await served.waiting(), await served.connect()
        assert "connection: close" not in await idle.get("/livez")

        served.server.handle_exit(signal.SIGTERM, None)
        await until(served.draining)

        assert "connection: close" in await idle.get("/livez")
        assert "connection: close" in await (await served.connect()).get("/livez")
        served.go.set()
        answer = await running.answer()
        assert "connection: close" in answer
        assert answer.endswith('"done"')


async def test_after_the_drain_what_is_running_finishes_and_nothing_is_accepted() -> None:
    async with serving(drain_seconds=0, shutdown_seconds=30) as served:
        running, idle = await served.waiting(), await served.connect()

        served.server.handle_exit(signal.SIGTERM, None)

        assert await idle.rest() == ""
        with pytest.raises(ConnectionRefusedError):
            await served.connect()
        served.go.set()
        assert (await running.answer()).endswith('"done"')
        await served.stopped


async def test_what_does_not_finish_in_time_is_answered_503_and_cancelled() -> None:
    async with serving(drain_seconds=0, shutdown_seconds=0.1) as served:
        running = await served.waiting()

        served.server.handle_exit(signal.SIGTERM, None)

        answer = await running.rest()
        assert answer.startswith("HTTP/1.1 503 ")
        assert "the service is stopping" in answer
        await served.stopped
        assert served.events[-1] == "cancelled"


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_drain_and_the_wait_at_once(second: int) -> None:
    async with serving(drain_seconds=300, shutdown_seconds=300) as served:
        running = await served.waiting()
        served.server.handle_exit(signal.SIGTERM, None)

        served.server.handle_exit(second, None)

        assert "the service is stopping" in await running.rest()
        await served.stopped


async def test_ctrl_c_skips_the_drain() -> None:
    async with serving(drain_seconds=300) as served:
        served.server.handle_exit(signal.SIGINT, None)

        await served.stopped
        assert not served.draining()


async def test_sigusr1_writes_the_stacks_of_threads_and_tasks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as served:
        await served.waiting()

        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: "stacks of all" in caplog.text)

        assert "await self.go.wait()" in caplog.text


async def test_the_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, server.__name__)
    async with serving() as served:
        assert f"listening on http://127.0.0.1:{served.port}" in caplog.messages


@pytest.mark.parametrize(
    ("soft", "hard", "served"),
    [
        (100_000, 100_000, 1_000),
        (1_024, 100_000, 1_000),
        (1_024, resource.RLIM_INFINITY, 1_000),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 1_000),
        (200, 200, 100),
    ],
)
def test_no_more_connections_are_served_than_half_the_descriptors(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    soft: int,
    hard: int,
    served: int,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)

    assert server.connections(1_000)[0] == served
    assert ("ulimit -n" in caplog.text) == (served < 1_000)


async def test_a_service_may_log_what_is_no_text_by_the_servers_logger(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving():
        logging.getLogger("uvicorn.error").error(ValueError("no stock"))  # as many examples do

    assert "no stock" in caplog.text
