"""The service with defects, and with a description of all its routes, hidden ones too.

GET /defect/N?say=… raises the error that the application's handler N is for, with that text.
"""

import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Host, Mount

import vitals
from vitals.ops.check.security.operations import Operation
from vitals.ops.check.security.requests import DESCRIPTION
from vitals.ops.run import project_file
from vitals.settings import DatabaseSettings, load

OURS = ("vitals.", "__main__", "fastapi", "starlette")  # modules that are not the application's
ANY_FILE = {"name": "path", "in": "path", "schema": {"type": "string", "format": "binary"}}


def main() -> int:
    """Serve until it is stopped. Routes that don't say who may call them are described."""
    settings = load(project_file.load_settings_type(), os.environ)
    app = project_file.load("application")(settings)
    route = APIRoute("/defect/{number}", fail, openapi_extra=vitals.PUBLIC)
    app.router.routes.insert(0, route)  # before a mount or a route that takes all paths
    # The engine calls it before it listens, and when the application's own lifespan has started.
    app.state.vitals.refuse_unguarded = lambda: describe(app)
    if isinstance(settings, DatabaseSettings) and "metadata" in project_file.table():
        from sqlalchemy import create_engine

        engine = create_engine(settings.database_url.get_secret_value())
        project_file.load("metadata").create_all(engine)
    return vitals.serve(app, settings)


async def fail(request: Request) -> None:
    """Raise an error with a text that must not show up."""
    error = errors(request.app)[int(request.path_params["number"])]
    raise error(request.query_params["say"])


def errors(app: FastAPI) -> list[type[Exception]]:
    """An error that nobody handles, and those for which the application has handlers."""
    kinds = [kind for kind in app.exception_handlers if isinstance(kind, type)]
    return [RuntimeError, *(kind for kind in kinds if not kind.__module__.startswith(OURS))]


def describe(app: FastAPI) -> None:
    """Write the description for the process that sends the requests."""
    options, silent = vars(app.state.vitals)["_options"], app.state.vitals.unguarded()
    public = {*options.public, *(line.partition(": ")[0] for line in silent)}
    with warnings.catch_warnings(action="ignore"):  # names that are given twice
        every = list(operations(app, public))
    # Of a frontend, and of what a mounted application adds itself, only the folder is known.
    folders = {f"GET {each}/{{path}}" for each in options.public} - {each.name for each in every}
    every += [Operation(name, parameters=[ANY_FILE]) for name in sorted(folders)]
    found = {"unguarded": silent, "operations": every, "defects": len(errors(app))}
    found["own_tokens"] = options.verify is not None
    found["own_errors"] = options.error_response is not None
    Path(os.environ[DESCRIPTION]).write_text(json.dumps(found, default=dict))


def operations(app: Any, public: set[str], prefix: str = "") -> Iterator[Operation]:
    """Each operation of an application and of those mounted in it, but not the engine's own."""
    routes = list(iter_route_contexts(app.routes))
    for route in routes:
        path = prefix + (getattr(route, "path_format", "") or getattr(route, "path", "") or "")
        inner = getattr(route, "app", None)
        if isinstance(route.original_route, APIRoute):
            object.__setattr__(route, "include_in_schema", True)
        elif not isinstance(route.original_route, Mount | Host):
            methods = getattr(route, "methods", None) or ()
            yield from (Operation(f"{method} {path}") for method in methods)
        elif getattr(inner, "routes", None):
            path = path.removesuffix("/{path}")
            for each in operations(inner, public, path):
                yield each._replace(public=each.public or path in public)
        else:
            yield Operation(f"GET {path}", parameters=[ANY_FILE])
    own = [r for r in routes if not getattr(r.endpoint, "__module__", "").startswith(OURS)]
    described = get_openapi(title="all", version="0", routes=own)
    parts = described.get("components", {})
    for path, methods in described["paths"].items():
        for method, spec in methods.items():
            name = f"{method.upper()} {prefix}{path}"
            stated = spec.get("security")
            everyone = stated == [] or {} in (stated or ()) or bool(public & {name, prefix + path})
            yield Operation.of(name, spec, parts)._replace(public=everyone)


if __name__ == "__main__":
    sys.exit(main())
