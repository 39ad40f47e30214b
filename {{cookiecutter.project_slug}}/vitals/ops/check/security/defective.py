"""The service with defects, and with a description of all its routes, hidden ones too.

GET /defect/N?say=… raises the error that the application's handler N is for, with that text.
"""

import json
import os
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Host, Mount

import vitals
from vitals.ops.run import project_file
from vitals.security.guard import unguarded
from vitals.settings import DatabaseSettings, load

FILE = "VITALS_DESCRIPTION"  # the environment variable that names it
THEIRS = ("fastapi", "starlette", "vitals")
OURS = ("vitals.", "__main__")  # the modules of routes that are not the application's
ANY_FILE = [{"name": "path", "in": "path", "schema": {"type": "string", "format": "binary"}}]


def main() -> int:
    """Serve until it is stopped. Routes that don't say who may call them are described."""
    settings = load(project_file.load_settings_type(), os.environ)
    app = project_file.load("application")(settings)
    route = APIRoute("/defect/{number}", fail, openapi_extra=vitals.PUBLIC)
    app.router.routes.insert(0, route)  # before a mount or a route that takes all paths
    # The engine calls it before it listens, and when the application's own lifespan has started.
    app.state.vitals.refuse_unguarded = lambda: describe(app)
    if isinstance(settings, DatabaseSettings) and "metadata" in project_file.table():
        create_tables(settings.database_url.get_secret_value())
    return vitals.serve(app, settings)


async def fail(request: Request) -> None:
    """Raise an error with a text that must not show up."""
    error = errors(request.app)[int(request.path_params["number"])]
    raise error(request.query_params["say"])


def errors(app: FastAPI) -> list[type[Exception]]:
    """The errors for which the application has handlers of its own, after the usual one."""
    kinds = [kind for kind in app.exception_handlers if isinstance(kind, type)]
    return [RuntimeError, *(k for k in kinds if k.__module__.partition(".")[0] not in THEIRS)]


def describe(app: FastAPI) -> None:
    """Write the description for the process that asks."""
    options = vars(app.state.vitals)["_options"]
    with warnings.catch_warnings(action="ignore"):  # duplicate names matter in a document only
        found = {
            "unguarded": list(unguarded(app, options.guards, options.public)),
            "defects": len(errors(app)),
            "operations": list(operations(app, options.public)),
        }
    Path(os.environ[FILE]).write_text(json.dumps(found))


def operations(app: Any, public: Collection[str], prefix: str = "") -> Iterator[Mapping[str, Any]]:
    """Each operation of an application and of those mounted in it, but not the engine's own."""
    routes = list(iter_route_contexts(app.routes))
    for route in routes:
        path = prefix + (getattr(route, "path_format", "") or getattr(route, "path", "") or "")
        if isinstance(route.original_route, Mount | Host):
            path, inner = path.removesuffix("/{path}"), getattr(route, "app", None)
            if getattr(inner, "routes", None):
                yield from operations(inner, public, path)
            else:
                yield {"name": f"GET {path}/{{path}}", "spec": {"parameters": ANY_FILE}}
        elif isinstance(route.original_route, APIRoute):
            object.__setattr__(route, "include_in_schema", True)
        else:
            yield from ({"name": f"{m} {path}"} for m in (getattr(route, "methods", None) or ()))
    own = [r for r in routes if not getattr(r.endpoint, "__module__", "").startswith(OURS)]
    described = get_openapi(title="all", version="0", routes=own)
    parts = described.get("components", {})
    for path, methods in described["paths"].items():
        for method, spec in methods.items():
            is_public = prefix + path in public or spec.get("security") == []
            name = f"{method.upper()} {prefix}{path}"
            yield {"name": name, "spec": spec, "public": is_public, "parts": parts}


def create_tables(url: str) -> None:
    """Create the service's tables in an empty database."""
    from sqlalchemy import create_engine

    project_file.load("metadata").create_all(create_engine(url))


if __name__ == "__main__":
    sys.exit(main())
