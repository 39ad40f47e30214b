"""What if PostgreSQL has no tables yet?"""

import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.database import query
from vitals.ops.measure import load
from vitals.ops.project import migration
from vitals.ops.run import shell
from vitals.ops.services.serving import serving


@pytest.fixture
def empty(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The settings with a new database that has no tables."""
    name = f"empty_{secrets.token_hex(4)}"
    server = environment["APP_DATABASE_URL"]
    query(server, f"CREATE DATABASE {name}")
    url = httpx.URL(server).copy_with(path=f"/{name}")
    yield {**environment, "APP_DATABASE_URL": str(url)}
    query(server, f"DROP DATABASE {name} WITH (FORCE)")


def test_a_missing_migration_keeps_the_service_out_until_it_is_applied(
    empty: dict[str, str],
) -> None:
    with serving(empty, healthy=False) as served, httpx.Client(base_url=served.url) as client:
        assert client.get("/livez").is_success
        assert failing(client) == ["migrations"]

        migration.apply(empty)

        assert served.program.wait_until(lambda: failing(client) == [], within_seconds=20)
        assert client.get(load.read(shell.ROOT).routes[0].request.path).is_success


def failing(client: httpx.Client) -> list[str]:
    names: list[str] = client.get("/readyz").json().get("failing", [])
    return names
