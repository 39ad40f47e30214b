"""An application that is observed, and what was written about its requests."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tests.engine.applications import Lines, install
from vitals.observability.metrics import Metrics


@pytest.fixture
def app() -> FastAPI:
    """An application whose routes each test adds: they may come after the engine."""
    return install(FastAPI(), server_timing=True)


@pytest.fixture
def lines(app: FastAPI) -> Lines:
    return Lines(app)


@pytest.fixture
def metrics(app: FastAPI) -> Metrics:
    metrics: Metrics = app.state.vitals._metrics
    return metrics


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a lifespan: nothing but the requests is running."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
