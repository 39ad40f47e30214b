"""Do the checks tell the truth in time, and who gets to see what of it?"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request

from tests.client import client_of
from vitals import problems
from vitals.health import checks as module
from vitals.health.checks import Check, Checks, State, Unfit
from vitals.health.routes import router


class Thing:
    """Something outside that can be switched off, or made to hang."""

    def __init__(self, name: str = "thing") -> None:
        self.check = Check(name, self.probe)
        self.reason = ""
        self.hangs = False
        self.resists = False
        self.asked = 0

    async def probe(self) -> None:
        self.asked += 1
        while self.hangs:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if not self.resists:
                    raise
        if self.reason:
            raise Unfit(self.reason)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.05)


@asynccontextmanager
async def asking(*things: Thing, required: tuple[str, ...] = ()) -> AsyncIterator[Checks]:
    checks = Checks([thing.check for thing in things], required)
    try:
        await checks.open()
        yield checks
    finally:
        for thing in things:
            thing.resists = thing.hangs = False
        await checks.close()


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.005)


def state_of(checks: Checks, name: str = "thing") -> State:
    return next(state for state in checks.states() if state.name == name)


async def test_every_check_has_answered_once_before_the_service_is_ready() -> None:
    thing = Thing()
    checks = Checks([thing.check], ["thing"])
    assert checks.failing() == ["starting"]

    await checks.open()

    assert thing.asked == 1
    assert checks.failing() == []
    await checks.close()


async def test_a_required_check_that_fails_is_named_with_its_reason_until_it_passes() -> None:
    thing = Thing()
    async with asking(thing, required=("thing",)) as checks:
        thing.reason = "gone"
        await until(lambda: checks.failing() == ["thing"])
        assert (state_of(checks).status, state_of(checks).reason) == ("fail", "gone")

        thing.reason = ""
        await until(lambda: not checks.failing())
        assert (state_of(checks).status, state_of(checks).reason) == ("pass", "")


async def test_an_optional_check_that_fails_leaves_the_service_ready() -> None:
    thing = Thing()
    thing.reason = "gone"
    async with asking(thing) as checks:
        assert state_of(checks).status == "warn"
        assert checks.failing() == []


async def test_any_error_of_a_probe_is_an_answer_on_one_line() -> None:
    async def refused() -> None:
        raise ConnectionRefusedError("nobody\nlistens")

    checks = Checks([Check("thing", refused)], [])
    await checks.open()

    assert state_of(checks).reason == "ConnectionRefusedError: nobody listens"
    await checks.close()


async def test_a_hanging_check_is_cut_and_does_not_delay_the_others() -> None:
    hanging, quick = Thing("hanging"), Thing("quick")
    hanging.hangs = True
    async with asking(hanging, quick) as checks:
        assert state_of(checks, "hanging").reason == "no answer within 0.05 s"
        assert state_of(checks, "quick").up

        await until(lambda: hanging.asked > 1)  # it was cut, so it can be asked again


async def test_a_check_that_resists_being_cut_is_not_asked_a_second_time() -> None:
    thing, other = Thing(), Thing("other")
    thing.hangs = thing.resists = True
    async with asking(thing, other) as checks:
        await until(lambda: other.asked > 3)

        assert thing.asked == 1
        assert not state_of(checks).up


async def test_a_yes_that_is_too_old_is_no_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 3600)
    monkeypatch.setattr(module, "STALE_SECONDS", 0.02)
    async with asking(Thing(), required=("thing",)) as checks:
        await until(lambda: checks.failing() == ["thing"])

        assert state_of(checks).reason == "no answer for 0.02 s"


async def test_a_jump_of_the_wall_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    thing = Thing()
    async with asking(thing, required=("thing",)) as checks:
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 7200)
        asked = thing.asked

        await until(lambda: thing.asked > asked + 2)

        assert checks.failing() == []


async def test_a_change_is_logged_once_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, module.__name__)
    thing = Thing()
    async with asking(thing, required=("thing",)) as checks:
        thing.reason = "gone"
        await until(checks.failing)
        asked = thing.asked
        await until(lambda: thing.asked > asked + 2)
        thing.reason = ""
        await until(lambda: not checks.failing())

        assert [(c.status, c.reason) for c in checks.changes()] == [("pass", ""), ("fail", "gone")]
    lost, back = caplog.messages
    assert lost == "check thing: fail: gone"
    assert back.startswith("check thing passes again after")


async def test_since_tells_of_the_change_and_last_ok_of_the_last_yes() -> None:
    thing = Thing()
    async with asking(thing) as checks:
        first = state_of(checks)
        thing.reason = "gone"
        await until(lambda: not state_of(checks).up)
        lost = state_of(checks)
        asked = thing.asked
        await until(lambda: thing.asked > asked + 1)

        assert state_of(checks).since == lost.since > first.since
        assert state_of(checks).last_ok == lost.last_ok
        assert lost.last_ok is not None
        assert first.since <= lost.last_ok <= lost.since


async def test_only_the_last_changes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHANGES_KEPT", 3)
    thing = Thing()
    async with asking(thing) as checks:
        for reason in ["gone", "", "gone", "", "gone"]:
            thing.reason = reason
            await until(lambda reason=reason: state_of(checks).reason == reason)

        assert len(checks.changes()) == 3


async def test_a_service_that_drains_is_not_ready_though_all_checks_pass() -> None:
    async with asking(Thing(), required=("thing",)) as checks:
        checks.drain()

        assert checks.failing() == ["draining"]
        assert checks.changes()[0].name == "draining"


def test_a_required_check_that_nothing_has_is_refused() -> None:
    with pytest.raises(ValueError, match="databse"):
        Checks([Thing("database").check], ["databse"])


class Outside:
    """Two things outside: the database is required, the cache is not."""

    def __init__(self) -> None:
        self.reasons = {"database": "", "cache": ""}
        self.checks = Checks([self._check(name) for name in self.reasons], ["database"])

    def _check(self, name: str) -> Check:
        async def probe() -> None:
            if self.reasons[name]:
                raise Unfit(self.reasons[name])

        return Check(name, probe)


def from_operator(request: Request) -> bool:
    return "operator" in request.headers


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
async def client(outside: Outside) -> AsyncIterator[httpx.AsyncClient]:
    service = FastAPI()
    problems.install(service)
    service.include_router(router(outside.checks, {"version": "v1.2.0"}, from_operator))
    async with client_of(service) as client:
        yield client


async def test_liveness_looks_at_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})


async def test_readiness_fails_while_it_starts_passes_then_and_fails_while_it_drains(
    client: httpx.AsyncClient, outside: Outside
) -> None:
    starting = await client.get("/readyz")
    await outside.checks.open()
    open_ = await client.get("/readyz")
    outside.checks.drain()
    draining = await client.get("/readyz")
    await outside.checks.close()

    assert (starting.status_code, starting.json()["failing"]) == (503, ["starting"])
    assert (open_.status_code, open_.json()) == (200, {"status": "pass"})
    assert draining.json() == {"status": "fail", "failing": ["draining"]}
    assert draining.headers["retry-after"] == "1"


async def test_readiness_names_what_fails_and_says_no_more(
    client: httpx.AsyncClient, outside: Outside
) -> None:
    outside.reasons = {"database": "secret", "cache": "secret"}
    await outside.checks.open()
    answer = await client.get("/readyz", headers={"operator": "yes"})
    await outside.checks.close()

    assert answer.status_code == 503
    assert answer.json() == {"status": "fail", "failing": ["database"]}


async def test_a_check_can_be_left_out_of_readiness(
    client: httpx.AsyncClient, outside: Outside
) -> None:
    outside.reasons["database"] = "gone"
    await outside.checks.open()
    answer = await client.get("/readyz?exclude=cache&exclude=database")
    await outside.checks.close()

    assert answer.status_code == 200


async def test_an_unknown_name_to_leave_out_is_refused_with_the_known_ones(
    client: httpx.AsyncClient, outside: Outside
) -> None:
    await outside.checks.open()
    answer = await client.get("/readyz?exclude=databse")
    await outside.checks.close()

    assert answer.status_code == 400
    assert "database" in answer.json()["detail"]
    assert "databse" not in answer.text


async def test_health_says_warn_for_an_optional_check_and_fail_for_a_required_one(
    client: httpx.AsyncClient, outside: Outside
) -> None:
    outside.reasons["cache"] = "gone"
    await outside.checks.open()
    warn = await client.get("/health")
    outside.checks.drain()
    fail = await client.get("/health")
    await outside.checks.close()

    assert (warn.status_code, warn.json()["status"], warn.json()["ok"]) == (200, "warn", True)
    assert (fail.status_code, fail.json()["status"], fail.json()["ok"]) == (503, "fail", False)
    assert warn.headers["content-type"] == "application/health+json"
    assert warn.json()["version"] == "v1.2.0"


async def test_the_reason_is_for_operators(client: httpx.AsyncClient, outside: Outside) -> None:
    outside.reasons["database"] = "10.0.0.7 is gone"
    await outside.checks.open()
    public = await client.get("/health")
    operator = await client.get("/health", headers={"operator": "yes"})
    await outside.checks.close()

    assert public.json()["checks"]["database"] == [{"status": "fail"}]
    assert "10.0.0.7" not in public.text
    [check] = operator.json()["checks"]["database"]
    assert (check["output"], check["required"]) == ("10.0.0.7 is gone", True)
    assert {"since", "last_ok", "observedValue"} <= check.keys()
    assert operator.json()["changes"][0]["name"] == "database"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
async def test_a_health_answer_has_a_head(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    head = await client.head(path)

    assert head.status_code == answer.status_code
