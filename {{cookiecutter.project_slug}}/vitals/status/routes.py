"""Who gets to see the page, and what may it load?"""

import json
import secrets
from dataclasses import is_dataclass

from fastapi import APIRouter, Request, Response

from vitals.health.checks import State
from vitals.status import page
from vitals.status.reporter import Watch

METHODS = ["GET", "HEAD"]
# Nothing but the page's own style and script, and its own questions.
POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def router(watch: Watch) -> APIRouter:
    """The paths /status and /status.json; whoever includes it puts a guard before it."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/status", methods=METHODS)
    async def status(request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        document = page.render(watch.snapshot(), nonce, request.url.path)
        policy = {"Content-Security-Policy": POLICY.format(nonce=nonce)}
        return Response(document, 200, policy, "text/html; charset=utf-8")

    @routes.api_route("/status.json", methods=METHODS)
    async def status_json() -> Response:
        content = json.dumps(watch.snapshot(), default=_plain)
        return Response(content, media_type="application/json")

    return routes


def _plain(value: object) -> object:
    if isinstance(value, State):
        return value.shown()
    return vars(value) if is_dataclass(value) else str(value)
