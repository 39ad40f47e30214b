"""Who gets to see the page, and what may it load?"""

import json
import secrets
from dataclasses import asdict

from fastapi import APIRouter, Request, Response

from app.status import page
from app.status.snapshot import Watch

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
        document = page.render(await watch.snapshot(), nonce, request.url.path)
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": POLICY.format(nonce=nonce),
        }
        return Response(document, 200, headers, "text/html; charset=utf-8")

    @routes.api_route("/status.json", methods=METHODS)
    async def status_json() -> Response:
        content = json.dumps(asdict(await watch.snapshot()), default=str)
        return Response(content, 200, {"Cache-Control": "no-store"}, "application/json")

    return routes
