"""Start and stop: the application's own lifespan runs inside the engine's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI

import vitals
from tests.engine.applications import install, settings
from vitals import Check, testing

Events = list[str]


class Part:
    """A dependency that notes what happens to it."""

    def __init__(self, name: str, events: Events, fails: str = "") -> None:
        self.name = name
        self._events, self._fails = events, fails

    async def open(self) -> None:
        self._note("open")

    async def close(self) -> None:
        self._note("close")

    async def _probe(self) -> None:
        if f"check {self.name}" not in self._events:  # it runs once a second from now on
            self._note("check")

    def checks(self) -> list[Check]:
        return [Check(self.name, self._probe)]

    def gauges(self) -> dict[str, float]:
        return {}

    def _note(self, what: str) -> None:
        self._events.append(f"{what} {self.name}")
        if self._fails == what:
            raise RuntimeError(f"cannot {what}")


@pytest.fixture
def events() -> Events:
    return []


def application(events: Events, *, fails: str = "") -> FastAPI:
    """An application with a lifespan of its own and two dependencies."""

    @asynccontextmanager
    async def own(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        events.append("own start")
        if fails == "own start":
            raise RuntimeError("cannot start")
        yield {"shared": "yes"}
        events.append("own stop")

    app = FastAPI(lifespan=own)
    parts = [Part("first", events), Part("second", events, fails)]
    vitals.install(app, settings(), dependencies=parts)
    return app


STARTED = ["open first", "open second", "own start", "check first", "check second"]
STOPPED = ["own stop", "close second", "close first"]


async def test_dependencies_open_before_the_own_lifespan_starts_and_close_after_it_stops(
    events: Events,
) -> None:
    app = application(events)

    async with testing.lifespan(app):
        assert events == STARTED

    assert events == STARTED + STOPPED


async def test_checks_end_before_the_own_lifespan_stops(events: Events) -> None:
    app, polling = FastAPI(), list[bool]()

    @asynccontextmanager
    async def own(_: FastAPI) -> AsyncIterator[None]:
        yield
        polling.append(app.state.vitals.checks._polling.done())

    app.router.lifespan_context = own
    vitals.install(app, settings(), dependencies=[Part("first", events)])

    async with testing.lifespan(app):
        assert not app.state.vitals.checks._polling.done()

    assert polling == [True]


async def test_a_lifespan_that_is_assigned_after_the_engine_runs_too(events: Events) -> None:
    app = install(FastAPI())

    @asynccontextmanager
    async def late(_: FastAPI) -> AsyncIterator[None]:
        events.append("start")
        yield
        events.append("stop")

    app.router.lifespan_context = late

    async with testing.client(app) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert events == ["start"]
    assert events == ["start", "stop"]


async def test_the_own_lifespan_runs_before_the_routes_are_checked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[None]:
        app.get("/late")(lambda: None)
        yield

    async with testing.lifespan(install(FastAPI(lifespan=own))):
        assert "GET /late: does not say who may call it" in caplog.text


@pytest.mark.parametrize(
    ("fails", "expected"),
    [
        ("open", ["open first", "open second", "close first"]),
        ("own start", [*STARTED[:3], *STOPPED[1:]]),
    ],
)
async def test_a_part_that_fails_stops_the_start_and_closes_what_was_opened(
    events: Events, fails: str, expected: Events
) -> None:
    with pytest.raises(RuntimeError, match=r"cannot (open|start)"):
        async with testing.lifespan(application(events, fails=fails)):
            pytest.fail("it started")

    assert events == expected


async def test_a_start_that_the_guard_refuses_closes_what_was_opened(events: Events) -> None:
    app = FastAPI()
    app.get("/a")(lambda: None)
    deployed = settings(environment="production", auth="jwt")
    vitals.install(app, deployed, dependencies=[Part("first", events)])

    with pytest.raises(RuntimeError, match="GET /a: does not say who may call it"):
        async with testing.lifespan(app):
            pytest.fail("it started")

    assert events == ["open first", "close first"]


async def test_a_check_that_fails_does_not_stop_the_start(events: Events) -> None:
    app = application(events, fails="check")

    async with testing.client(app) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/health")).json()["status"] == "warn"


async def test_a_dependency_that_fails_to_close_fails_the_stop_after_the_others_are_closed(
    events: Events,
) -> None:
    with pytest.raises(RuntimeError, match="cannot close"):
        async with testing.lifespan(application(events, fails="close")):
            pass

    assert events == STARTED + STOPPED


async def test_an_application_can_run_twice(events: Events) -> None:
    app = application(events)

    for _ in range(2):
        async with testing.client(app) as client:
            assert (await client.get("/readyz")).status_code == 200
            app.state.vitals.checks.drain()
            assert (await client.get("/readyz")).status_code == 503

    assert [e for e in events if not e.startswith("check")] == (STARTED[:3] + STOPPED) * 2


async def test_two_applications_of_one_process_start_and_stop_apart(events: Events) -> None:
    one, other = application(events), application([])

    async with testing.client(one) as client, testing.lifespan(other):
        other.state.vitals.checks.drain()
        assert (await client.get("/readyz")).status_code == 200


async def test_the_state_of_the_own_lifespan_reaches_the_server(events: Events) -> None:
    app, sent, state = application(events), list[Any](), dict[str, str]()
    inbox = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]

    async def receive() -> dict[str, str]:
        return inbox.pop()

    async def send(message: object) -> None:
        sent.append(message)

    await app({"type": "lifespan", "asgi": {}, "state": state}, receive, send)

    assert state == {"shared": "yes"}
    assert sent == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]
