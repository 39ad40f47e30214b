"""An application with only the routes of items, on a store in memory."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

import vitals
from app.items.routes import router
from app.items.store import MemoryItems
from app.settings import Settings
from vitals import testing


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.include_router(router(MemoryItems()))
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    vitals.install(app, Settings(environment="test"))
    async with testing.client(app) as client:
        yield client
