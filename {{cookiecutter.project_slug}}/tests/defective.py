"""The service with one defect, so that what a defect shows can be seen.

GET /defect raises an error that holds what the query said.
"""

import os
import sys

from fastapi import APIRouter, Request

from app.main import create_app
from vitals.observability import logs
from vitals.server import serve
from vitals.settings import load

routes = APIRouter()


@routes.get("/defect", include_in_schema=False)
async def defect(request: Request) -> None:
    """Fail with a value that nobody may see."""
    said = request.query_params.get("say", "")
    raise RuntimeError(said)


if __name__ == "__main__":
    settings = load(os.environ)
    service = create_app(settings)
    service.include_router(routes)
    logs.install(logs.stdout, settings.log_format, settings.log_level)
    sys.exit(serve.serve(service, settings))
