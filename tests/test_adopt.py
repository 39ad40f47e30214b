"""docs/adopt.md, as its readers use it: on two applications that are not written as ours are."""

import http.client
import json
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests import baking

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workers")]
PAGE = (baking.ROOT / "docs" / "adopt.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FIRST, TOKEN_ONLY, SYNC, ASYNC, OWN_HEALTH, BUDGET = BLOCKS
TOKEN = "a-token-for-operators"
SYNC_APPLICATION = """
import os
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)

engine = create_engine("sqlite:///orders.db")
Base.metadata.create_all(engine)

def get_session():
    with Session(engine) as session:
        yield session

app = FastAPI(title="Shop")

@app.get("/health")
def health():
    return {"mine": True}

@app.get("/orders")
def orders(session: Session = Depends(get_session)):
    session.scalar(select(1))
    return [each.id for each in session.scalars(select(Order))]

@app.get("/orders/{number}")
def order(number: int, session: Session = Depends(get_session)):
    if (found := session.get(Order, number)) is None:
        raise HTTPException(404, "no such order")
    return found.id
"""
ASYNC_APPLICATION = """
import os
from contextlib import asynccontextmanager
from fastapi import APIRouter, FastAPI, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

router = APIRouter(prefix="/api")

@router.get("/orders")
async def orders(request: Request) -> list[int]:
    async with request.app.state.engine.connect() as connection:
        return [row[0] for row in await connection.execute(text("SELECT 1"))]

@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.engine = create_async_engine("sqlite+aiosqlite://")
    yield
    await app.state.engine.dispose()

def create_app() -> FastAPI:
    import vitals

    app = FastAPI(title="Shop", lifespan=lifespan)
    app.include_router(router)
"""
CLIENT = """
import pytest
from fastapi.testclient import TestClient
from shop import app

@pytest.fixture
def client():
    with TestClient(app) as client:
        yield client

"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adopt")
    packages = ("fastapi[standard]", "gunicorn", "uvicorn-worker", "aiosqlite", "pytest")
    return baking.with_the_engine(folder, "sqlalchemy[asyncio]", *packages)


@contextmanager
def running(python: Path, folder: Path, *command: str) -> Iterator[int]:
    port = baking.free_port()
    words = [word.format(port=port) for word in command]
    log = folder / "log"
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [python, "-m", *words],
            cwd=folder,
            env=baking.environment(OPS_TOKEN=TOKEN),
            stdout=lines,
            stderr=lines,
        )
    try:
        baking.wait_until(lambda: process.poll() is not None or answers(port), 40)
        assert process.poll() is None, log.read_text()
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def ask(port: int, path: str, token: str = TOKEN) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def answers(port: int) -> bool:
    with suppress(OSError):
        return ask(port, "/orders")[0] > 0
    return False


def test_a_synchronous_application_has_its_page_behind_its_own_health(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(f"{SYNC_APPLICATION}\nimport vitals\n{OWN_HEALTH}")

    with running(python, tmp_path, "fastapi", "run", "shop.py", "--port", "{port}") as port:
        assert ask(port, "/orders/7") == (404, '{"detail":"no such order"}')
        assert json.loads(ask(port, "/health")[1]) == {"mine": True}
        health = json.loads(ask(port, "/ops/health")[1])
        status = json.loads(ask(port, "/ops/status.json")[1])
        assert ask(port, "/ops/metrics", token="wrong")[0] == 401

    assert health["checks"]["database"][0]["status"] == "pass"
    assert health["process"]["server"].startswith("uvicorn ")
    calls = {row["route"]: row["db_calls"] for row in status["routes"]}
    assert calls == {"/health": 0, "/orders": 2, "/orders/{number}": 1}


def test_an_asynchronous_application_with_two_workers_has_one_page(
    python: Path, tmp_path: Path
) -> None:
    shared = Path(tempfile.mkdtemp(prefix="vitals-"))
    call = ASYNC.replace("/dev/shm/shop", str(shared)).replace("\n", "\n    ")
    (tmp_path / "shop.py").write_text(f"{ASYNC_APPLICATION}    {call}return app\n")
    worker = ("-k", "uvicorn_worker.UvicornWorker", "-w", "2", "-b", "127.0.0.1:{port}")

    with running(python, tmp_path, "gunicorn", "shop:create_app()", *worker) as port:
        baking.wait_until(
            lambda: json.loads(ask(port, "/health")[1])["process"]["worker"].endswith("of 2"), 20
        )
        for _ in range(20):
            assert ask(port, "/api/orders") == (200, "[1]")
        pages = [json.loads(ask(port, "/status.json")[1]) for _ in range(4)]

    requests = [
        row["requests"] for page in pages for row in page["routes"] if "api" in row["route"]
    ]
    assert requests == [20] * 4


@pytest.mark.parametrize("call", [FIRST, f"import vitals\n{SYNC}", f"import vitals\n{TOKEN_ONLY}"])
def test_a_budget_holds_in_their_own_tests(python: Path, tmp_path: Path, call: str) -> None:
    (tmp_path / "shop.py").write_text(SYNC_APPLICATION + call)
    (tmp_path / "test_shop.py").write_text(CLIENT + BUDGET)
    run = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    given = {"cwd": tmp_path, "env": baking.environment(OPS_TOKEN=TOKEN), "text": True}

    passed = subprocess.run(run, capture_output=True, **given)
    shop = tmp_path / "shop.py"
    shop.write_text(
        shop.read_text().replace(
            "session.scalar(select(1))", "session.scalar(select(1))\n    session.scalar(select(1))"
        )
    )
    failed = subprocess.run(run, capture_output=True, **given)

    assert "1 passed" in passed.stdout, passed.stdout
    assert "2 x SELECT 1" in failed.stdout, failed.stdout
