"""The start of a service: what it refuses, and with which exit status."""

import logging
import os
import socket
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

import vitals
from tests.engine.applications import install, settings
from vitals.server import serve


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    """Give the root logger back its handlers: `serve` installs its own."""
    root, httpx = logging.getLogger(), logging.getLogger("httpx")
    handlers, level, httpx_level = root.handlers[:], root.level, httpx.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    httpx.setLevel(httpx_level)


def test_a_port_in_use_ends_in_one_line_with_the_fix(capsys: pytest.CaptureFixture[str]) -> None:
    taken = serve.bind("127.0.0.1", 0)
    taken.listen()
    port = taken.getsockname()[1]

    status = vitals.serve(install(FastAPI()), settings(port=port))

    taken.close()
    assert status == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"APP_PORT: 127.0.0.1:{port}: Address already in use")
    assert "set another port" in line


@pytest.fixture
def never_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(*_: object) -> None:
        pytest.fail("it listens")

    monkeypatch.setattr(serve, "bind", bind)


@pytest.mark.usefixtures("never_listens")
def test_an_unguarded_route_ends_in_2_and_a_line_for_each_before_it_listens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = FastAPI()
    app.get("/a")(lambda: None)
    app.get("/b")(lambda: None)
    deployed = settings(environment="production", auth="jwt")
    vitals.install(app, deployed)

    status = vitals.serve(app, deployed)

    assert status == 2
    first, second, last = capsys.readouterr().err.splitlines()
    assert first.startswith("GET /a: does not say who may call it. Fix: ")
    assert second.startswith("GET /b: does not say who may call it. Fix: ")
    assert last.startswith("Not started.")


@pytest.mark.usefixtures("never_listens")
def test_wrong_settings_end_in_2_and_a_line_for_each_before_anything_is_built(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def create_app(_: vitals.Settings) -> FastAPI:
        pytest.fail("it is built")

    monkeypatch.setattr(os, "environ", {"APP_PROT": "1", "APP_PORT": "http"})

    status = vitals.main(create_app, vitals.Settings)

    assert status == 2
    lines = capsys.readouterr().err.splitlines()
    names = {line.partition(":")[0] for line in lines[:-1]}
    assert names == {"APP_PROT", "APP_PORT", "APP_ENVIRONMENT"}
    assert lines[-1].startswith("Not started.")


def test_settings_and_an_application_without_faults_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served: list[socket.socket] = []
    monkeypatch.setattr(os, "environ", {"APP_ENVIRONMENT": "test", "APP_PORT": "0"})
    monkeypatch.setattr(serve.Server, "run", lambda _, sockets: served.extend(sockets))

    def create_app(given: vitals.Settings) -> FastAPI:
        app = FastAPI()
        vitals.install(app, given)
        return app

    status = vitals.main(create_app, vitals.Settings)

    assert (status, len(served)) == (0, 1)
    served[0].close()
