"""The paths /livez, /readyz and /health, and what of them is for operators only."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request

from tests.engine.applications import install
from vitals import Check, CheckFailed, problems, testing
from vitals.health.checks import Checks
from vitals.health.routes import router
from vitals.observability.metrics import Metrics
from vitals.observability.recent_errors import RecentErrors
from vitals.service import Service


class Dependencies:
    """Two things dependencies: the database is required, the cache is not."""

    def __init__(self) -> None:
        self.reasons = {"database": "", "cache": ""}
        self.checks = Checks([self._check(name) for name in self.reasons], ["database"])

    def _check(self, name: str) -> Check:
        async def probe() -> None:
            if self.reasons[name]:
                raise CheckFailed(self.reasons[name])

        return Check(name, probe)


def from_operator(request: Request) -> bool:
    return "operator" in request.headers


def routes(checks: Checks) -> APIRouter:
    service = Service(None, Metrics({}, list, ()), checks, RecentErrors())
    return router(checks, service, {"version": "v1.2.0"}, dict, from_operator)


@pytest.fixture
def dependencies() -> Dependencies:
    return Dependencies()


@pytest.fixture
async def client(dependencies: Dependencies) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(routes(dependencies.checks))
    async with testing.client(app) as client:
        yield client


async def test_liveness_passes_before_any_check_has_run(client: httpx.AsyncClient) -> None:
    answer = await client.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})


async def test_readiness_fails_while_it_starts_passes_then_and_fails_while_it_drains(
    client: httpx.AsyncClient, dependencies: Dependencies
) -> None:
    starting = await client.get("/readyz")
    await dependencies.checks.open()
    open_ = await client.get("/readyz")
    dependencies.checks.drain()
    draining = await client.get("/readyz")
    await dependencies.checks.close()

    assert (starting.status_code, starting.json()["failing"]) == (503, ["starting"])
    assert (open_.status_code, open_.json()) == (200, {"status": "pass"})
    assert draining.json() == {"status": "fail", "failing": ["draining"]}
    assert draining.headers["retry-after"] == "1"


async def test_readiness_names_the_failing_required_checks_and_no_reason(
    client: httpx.AsyncClient, dependencies: Dependencies
) -> None:
    dependencies.reasons = {"database": "secret", "cache": "secret"}
    await dependencies.checks.open()
    answer = await client.get("/readyz", headers={"operator": "yes"})
    await dependencies.checks.close()

    assert answer.status_code == 503
    assert answer.json() == {"status": "fail", "failing": ["database"]}


async def test_a_check_can_be_left_out_of_readiness(
    client: httpx.AsyncClient, dependencies: Dependencies
) -> None:
    dependencies.reasons["database"] = "gone"
    await dependencies.checks.open()
    answer = await client.get("/readyz?exclude=cache&exclude=database")
    await dependencies.checks.close()

    assert answer.status_code == 200


async def test_an_unknown_name_to_leave_out_is_refused_with_the_known_ones(
    client: httpx.AsyncClient, dependencies: Dependencies
) -> None:
    await dependencies.checks.open()
    answer = await client.get("/readyz?exclude=databse")
    await dependencies.checks.close()

    assert answer.status_code == 400
    assert "database" in answer.json()["detail"]
    assert "databse" not in answer.text


async def test_health_is_warn_for_an_optional_check_and_fail_for_a_required_one(
    client: httpx.AsyncClient, dependencies: Dependencies
) -> None:
    dependencies.reasons["cache"] = "gone"
    await dependencies.checks.open()
    warn = await client.get("/health")
    dependencies.checks.drain()
    fail = await client.get("/health")
    await dependencies.checks.close()

    assert (warn.status_code, warn.json()["status"], warn.json()["ok"]) == (200, "warn", True)
    assert (fail.status_code, fail.json()["status"], fail.json()["ok"]) == (503, "fail", False)
    assert warn.headers["content-type"] == "application/health+json"
    assert warn.json()["version"] == "v1.2.0"


async def test_the_reason_is_for_operators(
    client: httpx.AsyncClient, dependencies: Dependencies
) -> None:
    dependencies.reasons["database"] = "10.0.0.7 is gone"
    await dependencies.checks.open()
    public = await client.get("/health")
    operator = await client.get("/health", headers={"operator": "yes"})
    await dependencies.checks.close()

    assert public.json()["checks"]["database"] == [{"status": "fail"}]
    assert "10.0.0.7" not in public.text
    [check] = operator.json()["checks"]["database"]
    assert (check["output"], check["required"]) == ("10.0.0.7 is gone", True)
    assert {"since", "last_ok", "observedValue"} <= check.keys()
    assert operator.json()["changes"][0]["name"] == "database"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
async def test_a_health_path_answers_head(path: str) -> None:
    async with testing.client(install(FastAPI())) as client:
        answer = await client.get(path)
        head = await client.head(path)

    assert (head.status_code, head.content) == (answer.status_code, b"")


async def test_health_names_the_service_and_its_version() -> None:
    app = install(FastAPI(title="Orders"), {"name": "orders-api"}, version="v3", commit="abc")

    async with testing.client(app) as client:
        health = (await client.get("/health")).json()

    about = {name: health[name] for name in ("version", "releaseId", "serviceId")}
    assert about == {"version": "v3", "releaseId": "abc", "serviceId": "orders-api"}
    assert health["ok"] is True


async def test_a_reason_with_a_name_that_is_no_text_is_shown_all_the_same(
    client: httpx.AsyncClient, dependencies: Dependencies
) -> None:
    dependencies.reasons["database"] = "no such file: caf\udce9"  # as Python reads such a name
    await dependencies.checks.open()
    answer = await client.get("/health", headers={"operator": "yes"})
    await dependencies.checks.close()

    assert answer.json()["checks"]["database"][0]["output"] == r"no such file: caf\udce9"
