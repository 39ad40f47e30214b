"""How does a test talk to the service without a socket?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI


@asynccontextmanager
async def client_of(service: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service, which is started and stopped; errors come as answers."""
    transport = httpx.ASGITransport(service, raise_app_exceptions=False)
    async with (
        service.router.lifespan_context(service),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield client
