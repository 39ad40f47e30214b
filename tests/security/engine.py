"""A small service with the engine installed; `python -m tests.security.engine` serves it."""

import logging
import os
import sys

from fastapi import Body, FastAPI, Security

import vitals
from vitals.settings import Settings, load

log = logging.getLogger(__name__)
GUARDED = [Security(vitals.caller, scopes=["notes:write"])]


def create_app(settings: Settings) -> FastAPI:
    app = FastAPI()

    @app.get("/notes", openapi_extra=vitals.PUBLIC)
    def notes() -> list[str]:
        return []

    @app.post("/notes", dependencies=GUARDED)
    def add(text: str = Body(max_length=100, embed=True)) -> int:
        log.info("a note was added")
        return len(text)

    @app.get("/defect", openapi_extra=vitals.PUBLIC)
    def defect(say: str) -> None:
        raise RuntimeError(say)

    vitals.install(app, settings)
    return app


if __name__ == "__main__":
    settings = load(Settings, os.environ)
    sys.exit(vitals.serve(create_app(settings), settings))
