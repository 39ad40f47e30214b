"""Is only a proxy of ours believed when it says who a client is and how it came?"""

import httpx
import pytest

from app.main import create_app
from app.settings import load

SAID = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}


async def address_told(came_from: str, trusted: str) -> str:
    """Where the service sends a client that asked with a slash too many."""
    settings = load(
        {
            "APP_ENVIRONMENT": "test",
            "APP_LOG_LEVEL": "error",
            "APP_TRUSTED_PROXIES": trusted,
        }
    )
    transport = httpx.ASGITransport(create_app(settings), client=(came_from, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.internal") as client:
        return (await client.get("/livez/", headers=SAID)).headers["location"]


async def test_our_proxy_is_believed() -> None:
    assert (await address_told("10.1.2.3", "10.0.0.0/8")).startswith("https://")


@pytest.mark.parametrize(
    ("came_from", "trusted"),
    [("192.0.2.1", "10.0.0.0/8"), ("10.1.2.3", ""), ("10.1.2.3", "10.0.0.1")],
)
async def test_anybody_else_is_not(came_from: str, trusted: str) -> None:
    assert (await address_told(came_from, trusted)).startswith("http://")
