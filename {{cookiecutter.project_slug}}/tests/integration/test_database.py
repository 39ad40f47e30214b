"""The service on a PostgreSQL without tables."""

import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.database import MIGRATIONS, query
from vitals.ops.measure import load
from vitals.ops.project import migration
from vitals.ops.run import shell
from vitals.ops.services.serving import serving

HAS_MIGRATIONS = any((MIGRATIONS / "versions").glob("*.py"))


@pytest.fixture
def empty(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The settings with a new database that has no tables."""
    name = f"empty_{secrets.token_hex(4)}"
    server = environment["APP_DATABASE_URL"]
    query(server, f"CREATE DATABASE {name}")
    url = httpx.URL(server).copy_with(path=f"/{name}")
    yield {**environment, "APP_DATABASE_URL": str(url)}
    query(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.skipif(not HAS_MIGRATIONS, reason="nothing to test yet: no migration")
def test_a_service_with_a_missing_migration_is_not_ready_until_it_is_applied(
    empty: dict[str, str],
) -> None:
    with serving(empty, healthy=False) as service, httpx.Client(base_url=service.url) as client:
        assert client.get("/livez").is_success
        assert failing(client) == ["migrations"]

        migration.apply(empty)

        assert service.program.wait_until(lambda: failing(client) == [], within_seconds=20)
        for route in load.read(shell.ROOT).routes:
            assert not client.get(route.request.path).is_server_error


def failing(client: httpx.Client) -> list[str]:
    names: list[str] = client.get("/readyz").json().get("failing", [])
    return names
