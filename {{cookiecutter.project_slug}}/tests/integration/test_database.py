"""The service on a PostgreSQL that had no tables when it started."""

import httpx
import pytest

from tests.conftest import Started
from tests.database import MIGRATIONS
from vitals.ops.measure import load
from vitals.ops.run import shell

HAS_MIGRATIONS = any((MIGRATIONS / "versions").glob("*.py"))


@pytest.mark.skipif(not HAS_MIGRATIONS, reason="nothing to test yet: no migration")
def test_a_service_with_a_missing_migration_is_not_ready_until_it_is_applied(
    started: Started, client: httpx.Client
) -> None:
    assert started.alive.is_success
    assert started.ready.status_code == 503
    assert started.ready.json()["failing"] == ["migrations"]

    assert client.get("/readyz").is_success
    for route in load.read(shell.ROOT).routes:
        assert not client.get(route.request.path).is_server_error
