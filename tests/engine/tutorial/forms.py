"""Pages about forms and files."""

from typing import Annotated, Any

from fastapi import FastAPI, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from tests.engine.tutorial.pages import Asks, ask, page


@page("tutorial/request-forms", differs=["error shape"])
def forms(app: FastAPI) -> Asks:
    @app.post("/login")
    async def login(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> str:
        return f"{username}: {len(password)}"

    sent = {"username": "ada", "password": "secret"}
    return [
        ask("POST /login", '"ada: 6"', data=sent),
        ask("POST /login", '"ada: 6"', files={k: (None, v) for k, v in sent.items()}),
        ask("POST /login", lambda a: "body.password" in a.text, 422, data={"username": "ada"}),
    ]


@page("tutorial/request-form-models", differs=["error shape"])
def form_models(app: FastAPI) -> Asks:
    class Login(BaseModel, extra="forbid"):
        username: str
        tries: int = 1

    @app.post("/login")
    async def login(form: Annotated[Login, Form()]) -> Login:
        return form

    return [
        ask("POST /login", {"username": "ada", "tries": 2}, data={"username": "ada", "tries": "2"}),
        ask("POST /login", status=422, data={"username": "ada", "other": "1"}),
    ]


@page("tutorial/request-files", differs=["error shape"])
def files(app: FastAPI) -> Asks:
    @app.post("/bytes")
    async def as_bytes(file: Annotated[bytes | None, File()] = None) -> int | None:
        return len(file) if file else None

    @app.post("/uploads")
    async def uploads(files: list[UploadFile]) -> list[Any]:
        return [[f.filename, f.content_type, f.size, len(await f.read())] for f in files]

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse("<form action='/uploads' enctype='multipart/form-data'></form>")

    large = b"x" * 1_000_000  # more than APP_MAX_BODY_BYTES, which is for JSON
    two = [("files", ("a.txt", large, "text/plain")), ("files", ("b.bin", b"12"))]
    found = [["a.txt", "text/plain", 1_000_000, 1_000_000]]
    found += [["b.bin", "application/octet-stream", 2, 2]]
    too_large = {"files": ("c.bin", b"x" * 6_000_000)}
    return [
        ask("POST /bytes", "3", files={"file": b"abc"}),
        ask("POST /bytes", "null"),
        ask("POST /uploads", found, files=two),
        ask("POST /uploads", status=422),
        ask("POST /uploads", status=413, route="__unmatched__", files=too_large),
        ask("GET /", lambda a: a.text.startswith("<form")),
    ]


@page("tutorial/request-forms-and-files")
def forms_and_files(app: FastAPI) -> Asks:
    @app.post("/files")
    async def upload(
        file: Annotated[bytes, File()], other: Annotated[UploadFile, File()], note: str = Form()
    ) -> list[Any]:
        return [len(file), other.filename, note]

    sent = {"file": b"abc", "other": ("o.txt", b"o")}
    return [ask("POST /files", [3, "o.txt", "hello"], data={"note": "hello"}, files=sent)]


@page("tutorial/request-forms, by hand")
def forms_by_hand(app: FastAPI) -> Asks:
    @app.post("/form")
    async def form(request: Request) -> dict[str, Any]:
        async with request.form(max_files=2, max_fields=5) as form:
            return {name: str(value) for name, value in form.items()}

    return [ask("POST /form", {"a": "1", "b": "2"}, data={"a": "1", "b": "2"})]


@page("tutorial/request-forms, limits", fastapi={"form_limits": {"max_fields": 2}})
def form_limits(app: FastAPI) -> Asks:
    @app.post("/form")
    async def form(a: Annotated[list[str], Form()]) -> int:
        return len(a)

    return [
        ask("POST /form", "2", data={"a": ["1", "2"]}),
        ask("POST /form", lambda a: a.json()["title"] == "Bad Request", 400, data={"a": ["1"] * 3}),
    ]
