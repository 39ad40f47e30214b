"""The engine as a wheel: built from this repository, installed beside versions of FastAPI."""

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSIONS = ("0.115.0", "0.128.0", "0.137.0", "0.138.0", "0.150.0", "0.165.0")
APPLICATION = """
import asyncio, json, sys
import fastapi
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
import vitals
from vitals import testing

app, inner, outer, sub = FastAPI(title="Old API"), APIRouter(), APIRouter(), FastAPI()
TOKEN = "correct-horse-battery"

@inner.get("/{number}")
def read(number: int, later: BackgroundTasks) -> int:
    later.add_task(print, end="")
    return number

@app.get("/conflict")
async def conflict() -> None:
    raise HTTPException(409, {"left": 0})

@app.get("/stream", dependencies=[Depends(vitals.deadline(None))])
async def stream() -> StreamingResponse:
    async def parts():
        yield "a"
        yield "b"
    return StreamingResponse(parts())

@sub.get("/s/{number}")
async def in_sub(number: int) -> int:
    return number

@app.websocket("/ws")
async def ws(socket: WebSocket) -> None:
    await socket.accept()

outer.include_router(inner, prefix="/inner")
app.include_router(outer, prefix="/v1")
app.mount("/sub", sub)
vitals.install(app, token=TOKEN)
lines = []
app.state.vitals._access_log._write_line = lines.append
ASKED = ("/v1/inner/3", "/v1/inner/x", "/conflict", "/stream", "/sub/s/2", "/nowhere", "/livez",
         "/readyz", "/health", "/docs", "/openapi.json", "/metrics", "/status.json")

async def main():
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with testing.client(app) as client:
        answers = {path: await client.get(path, headers=headers) for path in ASKED}
    logged = [json.loads(line) for line in lines]
    print(json.dumps({
        "version": fastapi.__version__,
        "statuses": {path: answer.status_code for path, answer in answers.items()},
        "conflict": answers["/conflict"].json(),
        "routes": [each["route"] for each in logged if each["event"] == "request"][:6],
        "tasks": [each["task"] for each in logged if each["event"] == "task"],
        "unguarded": [each.partition(":")[0] for each in app.state.vitals.unguarded()],
    }))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["make", "engine", f"DEST={folder}"], cwd=ROOT, check=True)
    [wheel] = folder.glob("vitals_engine-*.whl")
    return wheel


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Path]:
    """A Python environment with nothing in it."""
    subprocess.run(["uv", "venv", "--quiet", "--no-config", tmp_path / "venv"], check=True)
    return tmp_path / "venv" / "bin" / "python"


def add(python: Path, *packages: str) -> None:
    command = ["uv", "pip", "install", "--quiet", "--no-config", "--python", python]
    subprocess.run([*command, *packages], check=True)


def run(python: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        [python, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.slow
def test_the_wheel_holds_the_engine_without_what_ships_a_service(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert "vitals/installation.py" in names
    assert "vitals/status/page.html" in names
    assert [name for name in names if name.startswith("vitals/ops")] == []
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "vitals",
        "vitals_engine",
    }


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_an_application_is_observed_on_every_version_of_fastapi(
    wheel: Path, environment: Path, version: str
) -> None:
    add(environment, str(wheel), f"fastapi=={version}", "httpx")

    done = run(environment, APPLICATION)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["version"] == version
    expected = {"/v1/inner/x": 422, "/conflict": 409, "/nowhere": 404}
    assert found["statuses"] == {path: expected.get(path, 200) for path in found["statuses"]}
    assert found["conflict"] == {"detail": {"left": 0}}
    assert found["routes"] == [
        *("/v1/inner/{number}", "/v1/inner/{number}", "/conflict", "/stream"),
        *("/sub/s/{number}", "__unmatched__"),
    ]
    assert found["tasks"] == ["print"]
    assert {"GET /v1/inner/{number}", "GET /sub/s/{number}", "/ws"} <= set(found["unguarded"])


@pytest.mark.slow
def test_another_package_with_the_import_name_is_refused(wheel: Path, environment: Path) -> None:
    add(environment, str(wheel))
    namesake = "import importlib.metadata as m; m.version = lambda name: '1.2'; import vitals; "

    done = run(environment, namesake + "from fastapi import FastAPI; vitals.install(FastAPI())")

    assert "ImportError: the package vitals 1.2 has this import name. Fix: " in done.stderr


@pytest.mark.slow
def test_it_installs_from_the_address_of_the_repository(environment: Path) -> None:
    add(environment, f"git+{ROOT.as_uri()}", "httpx")

    done = run(environment, APPLICATION)

    assert done.returncode == 0, done.stderr
