"""The start of a service: settings, application, listener, server."""

import gc
import os
import socket
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI

from vitals.observability import logs
from vitals.security import guard
from vitals.server.server import Server
from vitals.settings import Settings, SettingsRefused, load


def main(create_app: Callable[[Any], FastAPI], settings_type: type[Settings]) -> int:
    """Load the settings from the environment, build the application and serve it.

    Returns the exit status of `serve`, and 2 if the settings refuse the start.
    """
    try:
        settings = load(settings_type, os.environ)
        app = create_app(settings)
    except SettingsRefused as refusal:
        return _refuse(refusal)
    return serve(app, settings)


def serve(app: FastAPI, settings: Settings) -> int:
    """Serve until a signal ends it.

    Returns the exit status: 1 if the port is not available, 2 if a route doesn't say who may
    call it, or needs a library that is missing.
    """
    logs.install(logs.stdout, settings.log_format, settings.log_level)
    try:
        app.state.vitals.refuse_unguarded()
        _require_websockets(app)
        listener = bind(settings.host, settings.port)
    except SettingsRefused as refusal:
        return _refuse(refusal)
    except OSError as error:
        sys.stderr.write(
            f"APP_PORT: {settings.host}:{settings.port}: {error.strerror}; expected an address of "
            "this machine and a free port. Fix: stop what listens there, or set another port\n"
        )
        return 1
    gc.collect()
    gc.set_threshold(10_000, 20, 50)  # a request leaves no cycles to look for
    gc.freeze()  # JSON with many lists causes collections: they need not walk the application
    Server(app, settings).run([listener])
    return 0


def _refuse(refusal: SettingsRefused) -> int:
    sys.stderr.write(f"{refusal}\nNot started. Correct the lines above and start again.\n")
    return 2


def _require_websockets(app: FastAPI) -> None:
    """Refuse websockets whose handshakes nothing here would answer."""
    paths = guard.websockets(app)
    if paths and not find_spec("websockets"):  # of wsproto nothing would bound a message
        fix = "add websockets to the dependencies in pyproject.toml, then make lock"
        raise SettingsRefused([f"{paths[0]}: a websocket needs a library. Fix: {fix}"])


def bind(host: str, port: int) -> socket.socket:
    """Take the address, without listening yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
