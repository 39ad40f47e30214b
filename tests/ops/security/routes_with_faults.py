"""A team's routes with faults: copied into a project as app/planted.py.

The comment above a fault is what `make security` must say about it: the id and the place.
"""
# ruff: noqa
# pyrefly: ignore-errors

import base64
import contextlib
import hashlib
import logging
import os
import subprocess
import traceback
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import jwt
import vitals
from fastapi import APIRouter, BackgroundTasks, Body, Cookie, Depends, FastAPI, Form, Header
from fastapi import HTTPException
from fastapi import Path as InPath
from fastapi import Query, Request, Response, Security, UploadFile, WebSocket
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.responses import RedirectResponse, StreamingResponse
from fastapi.security import APIKeyCookie, APIKeyHeader, APIKeyQuery, HTTPBasic, HTTPBearer
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field
from starlette.routing import Route
from vitals.validation import Amount, Line, Model

log = logging.getLogger(__name__)
READ = [Security(vitals.caller, scopes=["notes:read"])]
WRITE = [Security(vitals.caller, scopes=["notes:write"])]
PUBLIC = vitals.PUBLIC
Name = Annotated[str, Query(max_length=99)]
Secret = Annotated[str, Body(max_length=99, embed=True)]


class Note(Model):
    text: Line = Field(max_length=100)
    day: date = Field(strict=False)
    id: UUID = Field(strict=False)
    price: Amount
    kind: str = Field(pattern="^[A-Z]{3}-[0-9]{2}$")
    reply: "Note | None" = None


class Page(Model):
    number: int = Field(ge=7, le=99)
    notes: list[Note] = Field(min_length=1, max_length=9)


class User(BaseModel):
    name: str
    password_hash: str


class Broken(Exception):
    pass


class Guard(HTTPBearer):
    how: dict[str, Any] = {"options": {"require": ["exp", "iss", "aud"]}}
    settings: vitals.Settings

    async def __call__(self, request: Request, required: SecurityScopes) -> None:
        token = (await super().__call__(request)).credentials
        try:
            claims = self.claims(token)
        except Exception as error:
            raise vitals.Problem(401, "no", headers={"WWW-Authenticate": "Bearer"}) from error
        if not self.allows(claims["scope"], required.scopes):
            raise vitals.Problem(403, "no")

    def claims(self, token: str) -> dict[str, Any]:
        address = self.settings.auth_jwks_url.removeprefix("file://")
        (key,) = jwt.PyJWKSet.from_json(Path(address).read_text()).keys
        usual = {"algorithms": ["ES256"], "audience": "api", "issuer": self.settings.auth_issuer}
        return jwt.decode(token, key.key, **(usual | self.how))

    def allows(self, given: str, required: list[str]) -> bool:
        return set(required) <= set(given.split())


class Unverified(Guard):
    def claims(self, token: str) -> dict[str, Any]:
        return jwt.decode(token, options={"verify_signature": False}, audience="api")


class Unexpiring(Guard):
    how = {"options": {"require": ["iss"]}}


class AnyAudience(Guard):
    how = {"audience": None, "options": {"verify_aud": False, "require": ["exp"]}}


class AnyIssuer(Guard):
    how = {"issuer": None, "options": {"require": ["exp"]}}


class Late(Guard):
    how = {"leeway": 3600, "options": {"require": ["exp"]}}


class PartOfScope(Guard):
    def allows(self, given: str, required: list[str]) -> bool:
        return all(scope in given for scope in required)


class Open(HTTPBearer):
    async def __call__(self, request: Request) -> None:
        return None


class Bare(HTTPBearer):
    async def __call__(self, request: Request) -> None:
        raise HTTPException(401, "who is it?")


class Away(HTTPBearer):
    async def __call__(self, request: Request) -> None:
        raise vitals.Problem(503, "the database of users is away")


def unguarded(app: FastAPI) -> None:
    # SEC-101 GET /says-nothing
    @app.get("/says-nothing")
    def says_nothing(): ...

    # SEC-101 GET /hidden
    @app.get("/hidden", include_in_schema=False)
    def hidden(): ...

    # SEC-101 GET /optional
    @app.get("/optional", dependencies=[Depends(HTTPBearer(auto_error=False))])
    def optional(): ...

    # SEC-101 GET /mounted/deep
    inner = FastAPI(openapi_url=None)
    inner.add_api_route("/deep", hidden)
    app.mount("/mounted", inner)

    # SEC-101 GET /after-install/deep
    app.state.later = lambda: app.mount("/after-install", inner)

    # SEC-101 GET /at-start/deep
    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.mount("/at-start", inner)
        yield

    app.router.lifespan_context = lifespan

    # SEC-101 GET HEAD /plain
    app.router.routes.append(Route("/plain", lambda _: PlainTextResponse("")))

    # SEC-101 /socket
    @app.websocket("/socket")
    async def socket(s: WebSocket): ...

    # SEC-101 /rooms/socket
    # SEC-101 GET /second/included
    router = APIRouter()
    router.add_api_websocket_route("/socket", socket)
    app.include_router(router, prefix="/rooms")
    router = APIRouter()
    router.add_api_route("/included", hidden)
    app.include_router(router, prefix="/first", dependencies=READ)
    app.include_router(router, prefix="/second")

    # SEC-101 GET /of-another-host
    other = FastAPI(openapi_url=None)
    other.add_api_route("/of-another-host", hidden)
    app.host("other.internal", other)

    # SEC-101 GET HEAD /pages
    app.frontend("/pages", directory=".", fallback=None)

    # SEC-101 /files
    # SEC-208 GET /files/{path} pyproject.toml
    app.mount("/files", StaticFiles(directory="."))


def guards(app: FastAPI, settings: vitals.Settings) -> None:
    Guard.settings = settings

    def nothing(): ...

    for name, guard in {
        # SEC-102 GET /guards/open without a token
        "open": Depends(Open()),
        # SEC-102 GET /guards/bearer no token
        # SEC-102 GET /guards/bearer unsigned
        "bearer": Depends(HTTPBearer()),
        # SEC-102 GET /guards/key any APIKeyHeader
        "key": Depends(APIKeyHeader(name="X-Key")),
        # SEC-102 GET /guards/cookie any APIKeyCookie
        "cookie": Depends(APIKeyCookie(name="key")),
        # SEC-209 GET /guards/query APIKeyQuery
        "query": Depends(APIKeyQuery(name="key")),
        # SEC-102 GET /guards/basic any HTTPBasic
        "basic": Depends(HTTPBasic()),
        # SEC-102 GET /guards/oauth changed
        "oauth": Depends(OAuth2PasswordBearer("token")),
        # SEC-102 GET /guards/unverified unsigned
        # SEC-102 GET /guards/unverified changed
        # SEC-102 GET /guards/unverified of an unknown issuer
        "unverified": Security(Unverified(), scopes=["notes:read"]),
        # SEC-102 GET /guards/unexpiring never expires
        "unexpiring": Security(Unexpiring(), scopes=["notes:read"]),
        # SEC-102 GET /guards/audience for another audience
        "audience": Security(AnyAudience(), scopes=["notes:read"]),
        # SEC-102 GET /guards/issuer of another issuer
        "issuer": Security(AnyIssuer(), scopes=["notes:read"]),
        # SEC-102 GET /guards/late expired
        "late": Security(Late(), scopes=["notes:read"]),
        # SEC-102 GET /guards/away without a token
        "away": Depends(Away()),
        # SEC-102 GET /guards/part-of-scope with another scope
        "part-of-scope": Security(PartOfScope(), scopes=["notes:read"]),
        # SEC-415 GET /guards/bare WWW-Authenticate
        "bare": Depends(Bare()),
    }.items():
        app.get(f"/guards/{name}", dependencies=[guard])(nothing)

    # SEC-415 GET /inner/bearer 401
    # SEC-102 GET /inner/bearer no token
    inner = FastAPI(openapi_url=None)
    inner.exception_handler(HTTPException)(lambda _, e: PlainTextResponse("no", 401, e.headers))
    inner.get("/bearer", dependencies=[Depends(HTTPBearer())])(nothing)
    app.mount("/inner", inner)

    # SEC-102 GET /any-scope with another scope
    app.get(
        "/any-scope",
        dependencies=[Security(vitals.caller)],
        openapi_extra={"security": [{"token": ["notes:read"]}]},
    )(nothing)


def permissions(app: FastAPI) -> None:
    # SEC-103 POST /public-post
    @app.post("/public-post", openapi_extra=PUBLIC)
    def public_post(): ...

    # SEC-103 DELETE /public-delete/{n}
    @app.delete("/public-delete/{n}", openapi_extra=PUBLIC, include_in_schema=False)
    def public_delete(n: int = InPath(le=9)): ...

    # SEC-103 GET /admin/users
    @app.get("/admin/users", openapi_extra=PUBLIC)
    def users(): ...

    @app.get("/letters", dependencies=[Security(vitals.caller, scopes=["letters:read"])])
    def letters(): ...

    @app.post("/letters", dependencies=[Security(vitals.caller, scopes=["letters:write"])])
    def letter(): ...

    # SEC-104 GET /letters/{n}
    @app.get("/letters/{n}", dependencies=READ)
    def other(n: int = InPath(le=9)): ...

    # SEC-104 DELETE /reader/{n} scope
    @app.delete("/reader/{n}", dependencies=READ)
    def reader(n: int = InPath(le=9)): ...

    # SEC-104 PUT /scopeless scope
    @app.put("/scopeless", dependencies=[Security(vitals.caller)])
    def scopeless(): ...


def logged(app: FastAPI, settings: vitals.Settings) -> None:
    # SEC-207 POST /logs/body body
    @app.post("/logs/body", dependencies=WRITE)
    def body(note: Note):
        log.warning("new: %s", note)

    # SEC-207 POST /logs/email body
    @app.post("/logs/email", dependencies=WRITE)
    def email(email: str = Body(max_length=99, pattern=r"^[^@\s]+@[^@\s]+$", embed=True)):
        log.info("from %s", email)

    # SEC-207 POST /logs/nested body
    @app.post("/logs/nested", dependencies=WRITE)
    def nested(page: Page):
        log.info(page.notes[0].text)

    # SEC-207 POST /logs/base64 body
    @app.post("/logs/base64", dependencies=WRITE)
    def coded(page: Page):
        log.info(base64.b64encode(page.model_dump_json().encode()).decode())

    # SEC-207 POST /logs/hex body
    @app.post("/logs/hex", dependencies=WRITE)
    def as_hex(page: Page):
        log.info(repr(page).encode().hex())

    # SEC-207 POST /logs/upper body
    @app.post("/logs/upper", dependencies=WRITE)
    def upper(page: Page):
        log.info(str(page).upper())

    # SEC-207 POST /logs/extra body
    @app.post("/logs/extra", dependencies=WRITE)
    def extra(page: Page):
        log.info("new", extra={"page": page.model_dump(mode="json")})

    # SEC-207 POST /logs/form body
    @app.post("/logs/form", dependencies=WRITE)
    def form(name: Annotated[str, Form(max_length=99)]):
        log.info("from %s", name)

    # SEC-207 POST /logs/file body
    @app.post("/logs/file", dependencies=WRITE)
    async def file(file: UploadFile, name: Annotated[str, Form(max_length=99)]):
        log.info("%r", await file.read())

    # SEC-207 POST /logs/later body
    @app.post("/logs/later", dependencies=WRITE)
    def later(page: Page, tasks: BackgroundTasks):
        tasks.add_task(log.info, "%s", page)

    # SEC-207 POST /logs/password password
    @app.post("/logs/password", dependencies=WRITE)
    def password(password: Secret):
        log.info("with %s", password)

    # SEC-207 GET /logs/query query
    @app.get("/logs/query", openapi_extra=PUBLIC)
    def query(request: Request):
        log.info("asked %s", request.url)

    # SEC-207 GET /logs/slug query
    @app.get("/logs/slug", openapi_extra=PUBLIC)
    def slug(q: str = Query("a", max_length=40, pattern="^[a-z]+$")):
        log.info(q)

    # SEC-207 GET /logs/path/{name} path
    @app.get("/logs/path/{name}", openapi_extra=PUBLIC)
    def path(name: str = InPath(max_length=99)):
        log.info("asked for %s", name)

    # SEC-207 GET /logs/cookies header
    @app.get("/logs/cookies", openapi_extra=PUBLIC)
    def cookies(request: Request):
        log.info("from %s", request.headers["cookie"])

    # SEC-207 GET /logs/token token
    @app.get("/logs/token", dependencies=READ)
    def token(request: Request):
        log.info(request.headers["authorization"])

    # SEC-207 GET /logs/secret APP_OPS_TOKEN
    @app.get("/logs/secret", openapi_extra=PUBLIC)
    def secret():
        log.info(settings.ops_token.get_secret_value())

    # SEC-207 the log environment
    # SEC-113 app/planted.py os.environ))
    log.warning("%s", dict(os.environ))  # before the log is set up: on standard error

    # SEC-504 the log 'printed by hand'
    # SEC-417 app/planted.py T201
    @app.get("/prints", openapi_extra=PUBLIC)
    def prints():
        print("printed by hand")

    # SEC-207 GET /defect/1 defect
    @app.exception_handler(Broken)
    def logs_error(_: Request, error: Exception):
        log.error("failed: %s", error)
        return JSONResponse({}, 500, media_type="application/problem+json")


def answered(app: FastAPI, settings: vitals.Settings) -> None:
    # SEC-208 GET /environment environment
    @app.get("/environment", openapi_extra=PUBLIC)
    def environment():
        # SEC-113 app/planted.py os.environ)
        return dict(os.environ)

    # SEC-208 GET /hidden-environment environment
    @app.get("/hidden-environment", dependencies=READ, include_in_schema=False)
    def hidden_environment():
        return str(os.environ)

    # SEC-208 GET /secret APP_OPS_TOKEN
    @app.get("/secret", openapi_extra=PUBLIC)
    def secret():
        return settings.ops_token.get_secret_value()

    # SEC-208 GET /secret-code APP_OPS_TOKEN
    @app.get("/secret-code", openapi_extra=PUBLIC)
    def secret_code():
        return base64.b64encode(f"token:{settings.ops_token.get_secret_value()}".encode())

    # SEC-208 GET /secret-header APP_OPS_TOKEN
    @app.get("/secret-header", openapi_extra=PUBLIC)
    def secret_header(response: Response):
        response.headers["X-Debug"] = settings.ops_token.get_secret_value()

    # SEC-208 GET /settings a path
    @app.get("/settings", openapi_extra=PUBLIC)
    def all_settings():
        return settings.model_dump(mode="json")

    # SEC-208 GET /download /etc/passwd
    @app.get("/download", openapi_extra=PUBLIC)
    def download(name: Name):
        return FileResponse(os.path.join("docs", name))

    # SEC-208 GET /read/{name} /etc/passwd
    @app.get("/read/{name:path}", dependencies=READ)
    def read(name: str = InPath(max_length=99)):
        return (Path("docs") / name).read_text()

    # SEC-208 POST /repeats body
    # SEC-415 POST /repeats 400
    @app.post("/repeats", dependencies=WRITE)
    def repeats(note: Note):
        return JSONResponse({"error": note.text}, 400)

    # SEC-208 POST /password-back password
    @app.post("/password-back", dependencies=WRITE)
    def password_back(password: Secret):
        return {"saved": password}

    # SEC-208 GET /trace a traceback
    @app.get("/trace", openapi_extra=PUBLIC)
    def trace():
        try:
            return 1 / 0
        except ArithmeticError:
            return {"detail": traceback.format_exc()}

    # SEC-208 GET /defect/2 defect
    # SEC-415 GET /defect/2 500
    @app.exception_handler(ValueError)
    def echo(_: Request, error: Exception):
        return JSONResponse({"e": str(error)}, 500)

    # SEC-209 GET /users answer[].password_hash
    @app.get("/users", openapi_extra=PUBLIC)
    def users() -> list[User]:
        return []

    # SEC-209 GET /users-by-team answer.*[].password_hash
    @app.get("/users-by-team", openapi_extra=PUBLIC)
    def users_by_team() -> dict[str, list[User]]:
        return {}

    # SEC-209 GET /in-address api_key
    @app.get("/in-address", openapi_extra=PUBLIC)
    def in_address(api_key: Name): ...

    # SEC-208 GET /api.json the description
    @app.get("/api.json", openapi_extra=PUBLIC)
    def api():
        return app.openapi()

    # SEC-209 GET /by-token access_token
    @app.get("/by-token", openapi_extra=PUBLIC)
    def by_token(access_token: Name = ""): ...

    # SEC-208 GET /message query
    @app.get("/message", openapi_extra=PUBLIC)
    def message(q: Name = ""):
        raise HTTPException(404, f"there is no {q}")

    # SEC-208 GET /metrics query
    # SEC-208 GET /status query
    # SEC-208 GET /status.json query
    questions = vitals.counter("questions_total", "questions", "text")

    @app.get("/counted", openapi_extra=PUBLIC)
    def counted(q: Name = ""):
        questions.add(text=q)

    # SEC-208 GET /stream APP_OPS_TOKEN
    @app.get("/stream", openapi_extra=PUBLIC)
    def stream():
        return StreamingResponse(iter(["a", settings.ops_token.get_secret_value()]))

    # SEC-210 app/planted.py
    @app.get("/quoted", openapi_extra=PUBLIC)
    def quoted():
        try:
            return open("/nowhere/at-all")
        except OSError as error:
            raise HTTPException(404, f"failed: {error}") from error

    # SEC-415 GET /text-error 404
    @app.get("/text-error", openapi_extra=PUBLIC)
    def text_error():
        return PlainTextResponse("no", 404)


def headers(app: FastAPI) -> None:
    # SEC-301 GET /framed X-Frame-Options
    @app.get("/framed", openapi_extra=PUBLIC)
    def framed(response: Response):
        response.headers["X-Frame-Options"] = "SAMEORIGIN"

    # SEC-301 GET /http Strict-Transport-Security
    @app.get("/http", openapi_extra=PUBLIC)
    def http():
        return RedirectResponse("/", headers={"Strict-Transport-Security": "max-age=0"})

    # SEC-301 GET /inline Content-Security-Policy
    @app.get("/inline", openapi_extra=PUBLIC)
    def inline():
        policy = "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
        return HTMLResponse("<p>", headers={"Content-Security-Policy": policy})

    # SEC-301 GET /any-source Content-Security-Policy
    @app.get("/any-source", openapi_extra=PUBLIC)
    def any_source():
        policy = "default-src *; frame-ancestors 'none'"
        raise vitals.Problem(404, "no", headers={"Content-Security-Policy": policy})

    # SEC-301 GET /cookie Set-Cookie
    @app.get("/cookie", openapi_extra=PUBLIC)
    def cookie(response: Response):
        response.set_cookie("id", "1", secure=True, httponly=True, samesite="none")

    # SEC-301 GET /software Server
    # SEC-301 GET /software X-Powered-By
    @app.get("/software", openapi_extra=PUBLIC)
    def software(response: Response):
        response.headers["Server"] = response.headers["X-Powered-By"] = "nginx/1.2"

    # SEC-305 POST /markup page
    @app.post("/markup", dependencies=WRITE)
    def markup(note: Note):
        return HTMLResponse(f"<p>{note.text}</p>")

    # SEC-305 GET /forward Location
    @app.get("/forward", openapi_extra=PUBLIC)
    def forward(to: Name):
        return RedirectResponse(to)

    # SEC-305 GET /leave Location
    @app.get("/leave", openapi_extra=PUBLIC)
    def leave(to: str = Query("https://host.internal", max_length=99, pattern="^https://")):
        return RedirectResponse(to)

    # SEC-301 GET /shared Cache-Control
    @app.get("/shared", dependencies=READ)
    def shared(response: Response):
        response.headers["Cache-Control"] = "public, max-age=60"

    # SEC-301 GET /any-origin Access-Control-Allow-Origin
    @app.get("/any-origin", openapi_extra=PUBLIC)
    def any_origin(request: Request, response: Response):
        response.headers["Access-Control-Allow-Origin"] = request.headers.get("origin", "*")


def bounds(app: FastAPI) -> None:
    # SEC-406 POST /bounds/{path} path
    # SEC-406 POST /bounds/{path} text
    # SEC-406 POST /bounds/{path} x-name
    # SEC-406 POST /bounds/{path} cookie
    # SEC-406 POST /bounds/{path} whole
    # SEC-406 POST /bounds/{path} real
    # SEC-406 POST /bounds/{path} either
    # SEC-406 POST /bounds/{path} several
    # SEC-406 POST /bounds/{path} limit
    # SEC-406 POST /bounds/{path} body
    @app.post("/bounds/{path}", dependencies=WRITE)
    def bounds(
        path: int,
        x_name: Annotated[str, Header()],
        several: Annotated[list[Annotated[int, Query(le=9)]], Query()],
        body: dict[str, Any],
        cookie: Annotated[str, Cookie()] = "",
        text: str = "",
        whole: int = 1,
        real: float = 1,
        either: str | None = None,
        limit: int = Query(20, le=100000),
    ): ...

    # SEC-406 POST /bounds-form body.name
    @app.post("/bounds-form", dependencies=WRITE)
    def bounds_form(name: Annotated[str, Form()]): ...

    # SEC-406 POST /bounds-any body
    @app.post("/bounds-any", dependencies=WRITE)
    def bounds_any(body: Any = Body()): ...

    # SEC-406 POST /bounds-part body.page.name
    class Named(Model):
        name: str

    @app.post("/bounds-part", dependencies=WRITE)
    def bounds_part(page: Annotated[Named, Body(embed=True)]): ...


def code(app: FastAPI) -> None:
    # SEC-417 app/planted.py S307
    # SEC-417 app/planted.py S602
    # SEC-417 app/planted.py S324
    # SEC-417 app/planted.py S608
    @app.get("/code", openapi_extra=PUBLIC)
    def code(q: Name = ""):
        eval("1")
        subprocess.run("true", shell=True)
        hashlib.md5(b"").hexdigest()
        return f"SELECT * FROM items WHERE name = '{q}'" and None


def add(app: FastAPI, settings: vitals.Settings) -> None:
    unguarded(app)
    guards(app, settings)
    permissions(app)
    logged(app, settings)
    answered(app, settings)
    headers(app)
    bounds(app)
    code(app)
