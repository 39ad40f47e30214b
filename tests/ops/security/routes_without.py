"""A team's routes without faults, each a neighbour of one with a fault: no check may name them."""
# ruff: noqa
# pyrefly: ignore-errors

import logging
from datetime import date
from pathlib import Path
from typing import Annotated

import jwt
import vitals
from fastapi import Body, FastAPI, Form, Header, HTTPException, Query, Request, Response, Security
from fastapi import Path as InPath
from fastapi import UploadFile
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse
from fastapi.responses import StreamingResponse
from fastapi.security import APIKeyHeader, HTTPBearer, SecurityScopes
from pydantic import BaseModel, Field
from vitals.validation import Line, Model

log = logging.getLogger(__name__)
READ = [Security(vitals.caller, scopes=["notes:read"])]
WRITE = [Security(vitals.caller, scopes=["notes:write"])]
PUBLIC = vitals.PUBLIC


class Note(Model):
    text: Line = Field(max_length=100)
    day: date | None = Field(None, strict=False)
    labels: dict[str, str] = Field({}, max_length=9)
    reply: "Note | None" = None


class LoggedIn(BaseModel):
    access_token: str
    token_type: str = "bearer"


class OutOfStock(vitals.Problem):
    type, title = "urn:problem:out-of-stock", "Out of Stock"


class Guard(HTTPBearer):
    settings: vitals.Settings

    async def __call__(self, request: Request, required: SecurityScopes) -> None:
        token = (await super().__call__(request)).credentials
        try:
            address = self.settings.auth_jwks_url.removeprefix("file://")
            (key,) = jwt.PyJWKSet.from_json(Path(address).read_text()).keys
            issuer, required_claims = self.settings.auth_issuer, {"require": ["exp", "iss", "aud"]}
            claims = jwt.decode(
                token,
                key.key,
                algorithms=["ES256"],
                audience="api",
                issuer=issuer,
                options=required_claims,
            )
        except Exception as error:
            raise vitals.Problem(401, "no", headers={"WWW-Authenticate": "Bearer"}) from error
        if not set(required.scopes) <= set(claims["scope"].split()):
            raise vitals.Problem(403, "no")


class Key(APIKeyHeader):
    async def __call__(self, request: Request) -> None:
        await super().__call__(request)
        raise vitals.Problem(401, "unknown key", headers={"WWW-Authenticate": "APIKey"})


def add(app: FastAPI, settings: vitals.Settings) -> None:
    Guard.settings = settings

    @app.get("/own-guard", dependencies=[Security(Guard(), scopes=["notes:read"])])
    def own_guard(): ...

    @app.get("/own-key", dependencies=[Security(Key(name="X-Key"))])
    def own_key(): ...

    @app.get("/notes", openapi_extra=PUBLIC)
    def notes(limit: int = Query(20, le=100), q: str = Query("", max_length=40)) -> list[Note]:
        log.info("listed", extra={"limit": limit})
        return []

    @app.post("/notes", dependencies=WRITE, status_code=201)
    def note(note: Note) -> Note:
        log.info("a new note", extra={"length": len(note.text)})
        return note

    @app.get("/notes/{note_id}", dependencies=READ)
    def one(note_id: int = InPath(le=99)) -> Note:
        raise HTTPException(404)

    @app.delete("/notes/{note_id}", dependencies=[Security(vitals.caller, scopes=["notes:admin"])])
    def remove(note_id: int = InPath(le=99)): ...

    def scope(name: str) -> list:
        return [Security(vitals.caller, scopes=name.split())]

    app.get("/boxes", dependencies=scope("read:boxes"))(lambda: None)
    app.post("/boxes", dependencies=scope("write:boxes audit:write"))(lambda: None)
    app.put("/boxes", dependencies=scope("write:boxes"))(lambda: None)
    app.delete("/boxes", dependencies=scope("admin"))(lambda: None)

    @app.get("/me")
    def me(who: Annotated[vitals.Caller, Security(vitals.caller)]) -> str:
        return who.subject

    @app.get("/administrators", openapi_extra=PUBLIC)
    def administrators(): ...

    @app.get("/login-help", openapi_extra=PUBLIC)
    def login_help() -> LoggedIn:
        return LoggedIn(access_token="")

    @app.get("/cached", openapi_extra=PUBLIC)
    def cached(response: Response):
        response.headers["Cache-Control"] = "public, max-age=60"

    @app.get("/private", dependencies=READ)
    def private(response: Response):
        response.headers["Cache-Control"] = "private, max-age=60"

    @app.get("/page", openapi_extra=PUBLIC)
    def page():
        policy = "default-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        return HTMLResponse("<p>", headers={"Content-Security-Policy": policy})

    @app.get("/escaped", openapi_extra=PUBLIC)
    def escaped(q: str = Query("", max_length=99)):
        from html import escape

        return HTMLResponse(escape(q))

    @app.get("/forward", openapi_extra=PUBLIC)
    def forward():
        return RedirectResponse("/page")

    @app.get("/search", openapi_extra=PUBLIC)
    def search(q: str = Query("", max_length=99)):
        return RedirectResponse(f"/notes?q={q.strip('/')}")

    @app.get("/careful", openapi_extra=PUBLIC)
    def careful():
        try:
            return {"page": int("1")}
        except ValueError as error:
            log.info("not a number", extra={"kind": type(error).__name__})
            raise HTTPException(404, "no such page") from error

    @app.get("/next", openapi_extra=PUBLIC)
    def following(page_token: str = Query("", max_length=99)): ...

    @app.get("/cookie", openapi_extra=PUBLIC)
    def cookie(response: Response):
        response.set_cookie("id", "1", secure=True, httponly=True, samesite="lax")

    @app.get("/document/{name}", dependencies=READ)
    def document(name: str = InPath(max_length=99, pattern="^[a-z]+$")):
        return FileResponse("docs/openapi.json")

    @app.get("/stream", openapi_extra=PUBLIC)
    def stream():
        return StreamingResponse(iter(["a", "b"]))

    @app.get("/events", openapi_extra=PUBLIC)
    async def events():
        import asyncio

        async def endless():
            while True:
                yield "data: {}\n\n"
                await asyncio.sleep(0.1)

        return StreamingResponse(endless(), media_type="text/event-stream")

    @app.post("/upload", dependencies=WRITE)
    async def upload(file: UploadFile, text: Annotated[str, Form(max_length=99)] = ""):
        return len(await file.read())

    @app.post("/raw", dependencies=WRITE)
    async def raw(request: Request, x_kind: Annotated[str, Header(max_length=20)] = ""):
        return len(await request.body())

    @app.post("/order", dependencies=WRITE)
    def order(name: str = Body(max_length=100, embed=True)):
        raise OutOfStock(409, "nothing is left", expected="another day")

    @app.exception_handler(ArithmeticError)
    def arithmetic(request: Request, error: Exception):
        log.exception("arithmetic failed")
        raise error

    @app.get("/secretary", openapi_extra=PUBLIC)
    def secretary(keyword: str = Query("", max_length=40)) -> dict[str, str]:
        return {"secretary": "Ada"}
