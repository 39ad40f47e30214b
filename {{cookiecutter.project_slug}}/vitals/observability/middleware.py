"""The outermost layer: watches every request from its first byte to its last.

It opens the request's stats, gives the answer its id and headers, answers 500 for an
unhandled error, and writes the log line and the metrics. Measure before you add a line here (the
template's `make bench` counts instructions): every request runs through it.
"""

import logging
from collections.abc import Awaitable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitals import problems
from vitals.observability import tracing, websockets
from vitals.observability.observed_request import Answers, ObservedRequest
from vitals.request_stats import current

MARK = "vitals"  # in the scope of a request that is being watched

log = logging.getLogger("vitals.requests")


class ObservabilityMiddleware:
    """Watches each request and websocket of `app`; a lifespan goes to `others`.

    `mark` is put into the scope; a request that has one is watched already. With `head_as_get`
    HEAD is answered by the route for GET. With `reraise` an unhandled error is raised again, for
    an error tracker around the application.
    """

    def __init__(
        self,
        app: ASGIApp,
        others: ASGIApp,
        mark: object,
        answers: Answers,
        *,
        head_as_get: bool = False,
        reraise: bool = True,
    ) -> None:
        self.app = app
        self.others = others
        self.mark = mark
        self.answers = answers
        self.head_as_get = head_as_get
        self.reraise = reraise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan" or MARK in scope:
            await self.others(scope, receive, send)
            return
        scope[MARK] = self.mark
        if kind == "websocket":
            app, answers, reraise = self.app, self.answers, self.reraise
            await websockets.observe(app, answers, scope, receive, send, reraise=reraise)
            return
        method = scope["method"]
        if is_head := method == "HEAD" and self.head_as_get:
            scope = {**scope, "method": "GET"}  # a copy: the server has to see HEAD
        request = ObservedRequest(self.answers, method, scope, receive, send)
        send_on = _without_body(request) if is_head else request.on_send
        token = current.set(request)
        if self.answers.traced:
            tracing.hide_query()
        self.answers.access_log.metrics.active += 1
        try:
            await self.app(scope, request.on_receive, send_on)
        except ClientDisconnect:
            request.gone = not (is_head and request.ended)
        except Exception as error:
            await self._fail(request, error)
            if self.reraise:
                raise
        except BaseException:  # cancelled: the client or the server ended it
            request.gone = True
            raise
        finally:
            if not request.closed:
                request.finish()
            current.reset(token)
            if request.calls and (outer := current.get()) is not None:  # a test's budget
                outer.calls += request.calls

    async def _fail(self, request: ObservedRequest, error: Exception) -> None:
        """Log an unhandled error, once, and answer 500 if nothing was sent and it ends here.

        Where an answer was cut short, the server sees that it has no end and closes.
        """
        request.error = type(error).__qualname__
        log.error("unhandled error", exc_info=error)
        if not request.status and not self.reraise:
            answer = problems.answer(request.scope, problems.Problem(500, problems.DEFECT))
            await answer(request.scope, request.receive, request.on_send)


def _without_body(request: ObservedRequest) -> Send:
    """Send an answer's head only, as HEAD asks (RFC 9110, 9.3.2): a stream may have no end."""

    def send_head(message: Message) -> Awaitable[None]:
        if message["type"] in ("http.response.body", "http.response.pathsend"):
            if request.ended:
                raise ClientDisconnect  # which ends the stream: nobody gets the rest
            message = {"type": "http.response.body", "body": b""}
        return request.on_send(message)

    return send_head
