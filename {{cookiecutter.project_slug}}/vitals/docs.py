"""The pages /docs and /openapi.json. All files of the page come from this process."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse, JSONResponse

from vitals.problems import Problem
from vitals.security.callers import PUBLIC

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


def remove(app: FastAPI) -> None:
    """Remove the framework's own pages, which load files from elsewhere."""
    theirs = {app.openapi_url, app.docs_url, app.redoc_url, app.swagger_ui_oauth2_redirect_url}
    app.router.routes[:] = [r for r in app.routes if getattr(r, "path", "") not in theirs]
    app.openapi_url = app.docs_url = app.redoc_url = None


def router(app: FastAPI) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    folder = Path(str(files("fastapi_offline"))) / "static"

    @routes.get("/docs", openapi_extra=PUBLIC)
    async def page() -> Response:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})

    @routes.get("/docs/{name}", openapi_extra=PUBLIC)
    async def file(name: str) -> Response:
        if name == "start.js":
            return Response(START, media_type="text/javascript")
        if name not in FILES:
            raise Problem(404, "there is nothing at this path")
        return Response((folder / name).read_bytes(), media_type=FILES[name])

    @routes.get("/openapi.json", openapi_extra=PUBLIC)
    async def description() -> Response:
        return JSONResponse(app.openapi())

    return routes
