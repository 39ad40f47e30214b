"""Does the service as it is shipped tell the page what its requests went through?"""

from pathlib import Path

import pytest

from app.main import create_app
from app.observability import tally
from app.settings import Settings
from tests.client import client_of


async def test_a_failure_and_a_repeated_statement_are_on_the_page_with_their_request_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    service = create_app(Settings(environment="local"))

    @service.get("/breaks")
    async def breaks() -> None:
        raise ValueError

    @service.get("/repeats")
    async def repeats() -> None:
        for _ in range(12):
            tally.add("db", 1, "SELECT price FROM items WHERE id = ?")

    async with client_of(service) as client:
        for path in ("/breaks", "/repeats"):
            await client.get(path, headers={"X-Request-ID": f"request-of{path.replace('/', '-')}"})
        data = (await client.get("/status.json")).json()

    (failure,), (statement,) = data["failures"], data["repeats"]
    assert (failure["route"], failure["error"]) == ("/breaks", "ValueError")
    assert failure["request_id"] == "request-of-breaks"
    assert (statement["route"], statement["times"]) == ("/repeats", 12)
    assert statement["request_id"] == "request-of-repeats"
    assert {row["route"]: row["error_share"] for row in data["routes"]}["/breaks"] == 1
    assert data["about"]["name"]
    assert data["settings"]["APP_ENVIRONMENT"] == "local"
    assert data["settings"]["APP_OPS_TOKEN"] == "**********"
