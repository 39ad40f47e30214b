"""The routes /status, /status.json and /metrics.

The content security policy lets only the page's own style and script run, and only requests to
this service leave the page.
"""

import json
import secrets
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template

from fastapi import APIRouter, Response

from vitals.health.checks import CheckState
from vitals.status.reporter import StatusReporter

TEMPLATE, STYLE, CHARTS, PAGE = (
    Path(__file__).with_name(name).read_text(encoding="utf-8")
    for name in ("page.html", "page.css", "charts.js", "page.js")
)
HARMLESS = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&"})  # JSON is ASCII
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NO_STORE = {"Cache-Control": "no-store"}
SCOPES = ("one process, from its own memory, since its start", "all workers on this machine")
POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def router(reporter: StatusReporter) -> APIRouter:
    """The routes for operators; who includes them guards them."""
    routes = APIRouter(include_in_schema=False)

    async def data() -> str:
        return json.dumps(await reporter.snapshot(), default=_plain, separators=(",", ":"))

    @routes.get("/status")
    async def status() -> Response:
        nonce = secrets.token_urlsafe(16)
        headers = NO_STORE | {"Content-Security-Policy": POLICY.format(nonce=nonce)}
        document = Template(TEMPLATE).substitute(
            title=escape(reporter.about["name"]),
            nonce=nonce,
            scope=SCOPES["worker" in reporter.service.about()],
            style=STYLE,
            script=CHARTS + PAGE,
            data=(await data()).translate(HARMLESS),
        )
        return Response(document, 200, headers, "text/html; charset=utf-8")

    @routes.get("/status.json")
    async def status_json() -> Response:
        return Response(await data(), 200, NO_STORE, "application/json")

    @routes.get("/metrics")
    async def read_metrics() -> Response:
        return Response(await reporter.service.text(), media_type=METRICS_TYPE)

    return routes


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.as_dict() if isinstance(value, CheckState) else vars(value)
