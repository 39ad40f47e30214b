"""A service whose requests are watched, and what was written down of them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.middleware import Middleware

from vitals import problems
from vitals.observability.access_log import Recorder
from vitals.observability.metrics import Metrics
from vitals.observability.middleware import Visibility

Lines = list[str]


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def metrics() -> Metrics:
    return Metrics({"version": "v1"}, list, [])


@pytest.fixture
def service(lines: Lines, metrics: Metrics) -> FastAPI:
    recorder = Recorder(metrics, "json", "info", write=lines.append)
    watched = FastAPI(middleware=[Middleware(Visibility, recorder=recorder, server_timing=True)])
    problems.install(watched)
    return watched


@pytest.fixture
async def client(service: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=service)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def told(lines: Lines) -> dict[str, Any]:
    """The last line, read."""
    line: dict[str, Any] = json.loads(lines[-1])
    return line
