"""Where can a person look at the API and try it? The page's files come from this process only."""

import warnings
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from vitals import problems
from vitals.problems import Problem

METHODS = ["GET", "HEAD"]
PUBLIC: dict[str, Any] = {"security": []}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="page"></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#page", deepLinking: true});\n'
FILES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


def router(openapi: Callable[[], dict[str, Any]]) -> APIRouter:
    """The paths /docs and /openapi.json; `openapi` describes the whole service."""
    routes = APIRouter(include_in_schema=False)
    kept = Path(str(files("fastapi_offline"))) / "static"

    @routes.api_route("/docs", methods=METHODS, openapi_extra=PUBLIC)
    async def page() -> Response:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})

    @routes.api_route("/docs/{name}", methods=METHODS, openapi_extra=PUBLIC)
    async def file(name: str) -> Response:
        if name == "start.js":
            return Response(START, media_type="text/javascript")
        if name not in FILES:
            raise Problem(404, "there is nothing at this path")
        return FileResponse(kept / name, media_type=FILES[name])

    @routes.api_route("/openapi.json", methods=METHODS, openapi_extra=PUBLIC)
    async def description() -> Response:
        return JSONResponse(described())

    @cache
    def described() -> dict[str, Any]:
        """HEAD is the same operation as GET: its second description is left out."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Duplicate Operation ID")
            told = openapi()
        for operations in told["paths"].values():
            operations.pop("head", None)
        told["components"]["schemas"]["Problem"] = problems.SCHEMA
        return told

    return routes
