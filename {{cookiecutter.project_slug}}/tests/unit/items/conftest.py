"""An application with only the routes of items, on a store in memory.

It starts once; each test that asks for a client finds the store empty.
"""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

import vitals
from app.items.routes import router
from app.items.store import MemoryItems
from app.settings import Settings
from vitals import testing


@pytest.fixture(scope="session")
def memory() -> MemoryItems:
    return MemoryItems()


@pytest.fixture(scope="session")
async def session_client(memory: MemoryItems) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router(memory))
    vitals.install(app, Settings(environment="test"))
    async with testing.client(app) as client:
        yield client


@pytest.fixture
def client(session_client: httpx.AsyncClient, memory: MemoryItems) -> httpx.AsyncClient:
    vars(memory).update(vars(MemoryItems()))
    return session_client
