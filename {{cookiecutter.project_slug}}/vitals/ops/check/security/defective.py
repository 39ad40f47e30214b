"""The service with one more route, which fails: shows what a defect reveals.

GET /defect raises an error that holds the text of `?say=`.
"""

import os
import sys

from fastapi import Request
from fastapi.routing import APIRoute

import vitals
from vitals.ops.run import project_file
from vitals.settings import DatabaseSettings, load

PATH = "/defect"


async def fail(request: Request) -> None:
    """Raise an error with a text that must not show up."""
    raise RuntimeError(request.query_params.get("say", ""))


def main() -> int:
    """Serve until it is stopped; 2 when a route does not say who may call it."""
    settings = load(project_file.load_settings_type(), os.environ)
    app = project_file.load("application")(settings)
    route = APIRoute(PATH, fail, include_in_schema=False, openapi_extra=vitals.PUBLIC)
    app.router.routes.insert(0, route)  # before a mount or a route that takes all paths
    if isinstance(settings, DatabaseSettings) and "metadata" in project_file.table():
        create_tables(settings.database_url.get_secret_value())
    return vitals.serve(app, settings)


def create_tables(url: str) -> None:
    """Create the service's tables in an empty database."""
    from sqlalchemy import create_engine

    project_file.load("metadata").create_all(create_engine(url))


if __name__ == "__main__":
    sys.exit(main())
