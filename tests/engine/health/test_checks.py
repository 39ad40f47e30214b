"""Health checks: their results, in time, and what follows from them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.engine.applications import until
from vitals import Check, CheckFailed
from vitals.health import checks as module
from vitals.health.checks import Checks, CheckState


class Thing:
    """Something outside the process that can fail, or hang."""

    def __init__(self, name: str = "thing") -> None:
        self.check = Check(name, self.probe)
        self.reason = ""
        self.hangs = False
        self.resists = False
        self.runs = 0

    async def probe(self) -> None:
        self.runs += 1
        while self.hangs:
            try:
                await asyncio.sleep(3600)  # hangs until it is cancelled
            except asyncio.CancelledError:
                if not self.resists:
                    raise
        if self.reason:
            raise CheckFailed(self.reason)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.05)


@asynccontextmanager
async def running(*things: Thing, required: tuple[str, ...] = ()) -> AsyncIterator[Checks]:
    checks = Checks([thing.check for thing in things], required)
    try:
        await checks.open()
        yield checks
    finally:
        for thing in things:
            thing.resists = thing.hangs = False
        await checks.close()


def state_of(checks: Checks, name: str = "thing") -> CheckState:
    return next(state for state in checks.states() if state.name == name)


async def test_every_check_has_run_once_before_the_service_is_ready() -> None:
    thing = Thing()
    checks = Checks([thing.check], ["thing"])
    assert checks.failing() == ["starting"]

    await checks.open()

    assert thing.runs == 1
    assert checks.failing() == []
    await checks.close()


async def test_a_required_check_that_fails_is_named_with_its_reason_until_it_passes() -> None:
    thing = Thing()
    async with running(thing, required=("thing",)) as checks:
        thing.reason = "gone"
        await until(lambda: checks.failing() == ["thing"])
        assert (state_of(checks).status, state_of(checks).reason) == ("fail", "gone")

        thing.reason = ""
        await until(lambda: not checks.failing())
        assert (state_of(checks).status, state_of(checks).reason) == ("pass", "")


async def test_an_optional_check_that_fails_leaves_the_service_ready() -> None:
    thing = Thing()
    thing.reason = "gone"
    async with running(thing) as checks:
        assert state_of(checks).status == "warn"
        assert checks.failing() == []


async def test_any_exception_of_a_probe_is_the_reason_on_one_line() -> None:
    async def refused() -> None:
        raise ConnectionRefusedError("nothing\nlistens")

    checks = Checks([Check("thing", refused)], [])
    await checks.open()

    assert state_of(checks).reason == "ConnectionRefusedError: nothing listens"
    await checks.close()


async def test_a_hanging_check_is_cancelled_and_does_not_delay_the_others() -> None:
    hanging, quick = Thing("hanging"), Thing("quick")
    hanging.hangs = True
    async with running(hanging, quick) as checks:
        assert state_of(checks, "hanging").reason == "no result within 0.05 s"
        assert state_of(checks, "quick").up

        await until(lambda: hanging.runs > 1)  # it was cancelled, so it can run again


async def test_a_check_that_ignores_its_cancellation_is_not_run_a_second_time() -> None:
    thing, other = Thing(), Thing("other")
    thing.hangs = thing.resists = True
    async with running(thing, other) as checks:
        await until(lambda: other.runs > 3)

        assert thing.runs == 1
        assert not state_of(checks).up


async def test_a_stale_pass_counts_as_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 3600)
    monkeypatch.setattr(module, "STALE_SECONDS", 0.02)
    async with running(Thing(), required=("thing",)) as checks:
        await until(lambda: checks.failing() == ["thing"])

        assert state_of(checks).reason == "no result for 0.02 s"


async def test_a_jump_of_the_wall_clock_makes_no_result_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thing = Thing()
    async with running(thing, required=("thing",)) as checks:
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 7200)
        runs = thing.runs

        await until(lambda: thing.runs > runs + 2)

        assert checks.failing() == []


async def test_a_change_is_logged_once_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, module.__name__)
    thing = Thing()
    async with running(thing, required=("thing",)) as checks:
        thing.reason = "gone"
        await until(checks.failing)
        runs = thing.runs
        await until(lambda: thing.runs > runs + 2)
        thing.reason = ""
        await until(lambda: not checks.failing())

        assert [(c.status, c.reason) for c in checks.changes()] == [("pass", ""), ("fail", "gone")]
    lost, back = caplog.messages
    assert lost == "check thing: fail: gone"
    assert back.startswith("check thing passes again after")


async def test_since_is_the_time_of_the_change_and_last_ok_that_of_the_last_pass() -> None:
    thing = Thing()
    async with running(thing) as checks:
        first = state_of(checks)
        thing.reason = "gone"
        await until(lambda: not state_of(checks).up)
        lost = state_of(checks)
        runs = thing.runs
        await until(lambda: thing.runs > runs + 1)

        assert state_of(checks).since == lost.since > first.since
        assert state_of(checks).last_ok == lost.last_ok
        assert lost.last_ok is not None
        assert first.since <= lost.last_ok <= lost.since


async def test_only_the_last_changes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHANGES_KEPT", 3)
    thing = Thing()
    async with running(thing) as checks:
        for reason in ["gone", "", "gone", "", "gone"]:
            thing.reason = reason
            await until(lambda reason=reason: state_of(checks).reason == reason)

        assert len(checks.changes()) == 3


async def test_a_draining_service_is_not_ready_though_all_checks_pass() -> None:
    async with running(Thing(), required=("thing",)) as checks:
        checks.drain()

        assert checks.failing() == ["draining"]
        assert checks.changes()[0].name == "draining"


def test_a_required_check_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="databse"):
        Checks([Thing("database").check], ["databse"])


async def test_a_second_run_of_the_same_application_is_ready_again() -> None:
    checks = Checks([Thing().check], ["thing"])
    await checks.open()
    checks.drain()
    await checks.close()

    await checks.open()

    assert checks.failing() == []
    await checks.close()


def test_a_second_check_of_the_same_name_is_refused_and_never_lost() -> None:
    with pytest.raises(ValueError, match="two have the name 'thing'"):
        Checks([Thing().check, Thing().check], [])
