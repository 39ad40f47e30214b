"""The guard: a route that doesn't say who may call it is found, wherever it is."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Security, WebSocket
from fastapi.security import HTTPBasic, HTTPBearer
from starlette.responses import Response
from starlette.routing import Host, Mount
from starlette.staticfiles import StaticFiles

import vitals
from tests.engine.applications import settings
from vitals import PUBLIC, Settings, SettingsRefused, caller, testing

GUARD = [Security(caller, scopes=["orders:write"])]
Add = Callable[[FastAPI, Path], object]


async def page() -> str:
    return "page"


async def ws(socket: WebSocket) -> None:
    await socket.accept()


async def key(x_key: Annotated[str, Header()]) -> None:
    """A guard of the application's own."""
    if x_key != "right":
        raise HTTPException(403)


async def nested(_: Annotated[Any, Security(caller, scopes=["orders:read"])]) -> None:
    """A dependency that has the guard as its own dependency."""


def mounted(**options: Any) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/inner/{number}", **options)(page)
    return app


def included_twice(app: FastAPI, **options: Any) -> None:
    routes = APIRouter(prefix="/b")
    routes.get("/c")(page)
    app.include_router(routes, prefix="/one", **options)
    app.include_router(routes, prefix="/two")


def folder_with_page(folder: Path) -> Path:
    (folder / "index.html").write_text("page")
    return folder


def included_frontend(app: FastAPI, folder: Path, guard: list[Any]) -> None:
    routes = APIRouter(prefix="/b")
    routes.frontend("/ui", directory=folder_with_page(folder))
    app.include_router(routes, prefix="/one", dependencies=guard)


# What is added to an application, and what is found: the name of each unguarded route.
FOUND: dict[str, tuple[Add, list[str]]] = {
    "a plain route": (lambda app, _: app.get("/a")(page), ["GET /a"]),
    "two methods": (
        lambda app, _: app.api_route("/a", methods=["GET", "POST"])(page),
        ["GET POST /a"],
    ),
    "not in the schema": (lambda app, _: app.get("/a", include_in_schema=False)(page), ["GET /a"]),
    "another openapi_extra": (
        lambda app, _: app.get("/a", openapi_extra={"x-a": 1})(page),
        ["GET /a"],
    ),
    "a dependency that is no guard": (
        lambda app, _: app.get("/a", dependencies=[Depends(page)])(page),
        ["GET /a"],
    ),
    "auto_error=False lets everyone in": (
        lambda app, _: app.get("/a", dependencies=[Security(HTTPBearer(auto_error=False))])(page),
        ["GET /a"],
    ),
    "a router that is included twice": (
        lambda app, _: included_twice(app),
        ["GET /one/b/c", "GET /two/b/c"],
    ),
    "a router that is guarded once of two times": (
        lambda app, _: included_twice(app, dependencies=GUARD),
        ["GET /two/b/c"],
    ),
    "a websocket": (lambda app, _: app.websocket("/ws")(ws), ["/ws"]),
    "a mounted application": (
        lambda app, _: app.mount("/sub", mounted()),
        ["GET /sub/inner/{number}"],
    ),
    "a mounted application below a parameter": (
        lambda app, _: app.router.routes.append(Mount("/of/{tenant}", app=mounted())),
        ["GET /of/{tenant}/inner/{number}"],
    ),
    "an application of a host": (
        lambda app, _: app.router.routes.append(Host("a.example.com", app=mounted())),
        ["GET /inner/{number}"],
    ),
    "static files": (
        lambda app, tmp: app.mount("/static", StaticFiles(directory=tmp)),
        ["/static"],
    ),
    "a route of Starlette": (
        lambda app, _: app.add_route("/bare", lambda _: Response()),
        ["GET HEAD /bare"],
    ),
    "a frontend of a router": (
        lambda app, tmp: included_frontend(app, tmp, []),
        ["GET HEAD /one/b/ui"],
    ),
    "a frontend": (
        lambda app, tmp: app.frontend("/ui", directory=folder_with_page(tmp)),
        ["GET HEAD /ui"],
    ),
}
GUARDED: dict[str, Add] = {
    "nothing": lambda _app, _: None,
    "public": lambda app, _: app.get("/a", openapi_extra=PUBLIC)(page),
    "public among other extras": lambda app, _: app.get("/a", openapi_extra={"x": 1} | PUBLIC)(
        page
    ),
    "the caller": lambda app, _: app.get("/a", dependencies=GUARD)(page),
    "without scopes": lambda app, _: app.get("/a", dependencies=[Depends(caller)])(page),
    "as a parameter of a nested dependency": (
        lambda app, _: app.get("/a", dependencies=[Depends(nested)])(page)
    ),
    "a guard of the framework": lambda app, _: app.get("/a", dependencies=[Depends(HTTPBasic())])(
        page
    ),
    "a guarded websocket": lambda app, _: app.websocket("/ws", dependencies=GUARD)(ws),
    "a guarded mounted application": lambda app, _: app.mount("/sub", mounted(dependencies=GUARD)),
    "a frontend of a guarded router": lambda app, tmp: included_frontend(app, tmp, GUARD),
}


def application(add: Add, folder: Path, given: Settings, **options: Any) -> FastAPI:
    app = FastAPI()
    add(app, folder)
    vitals.install(app, given, **options)
    return app


def deployed(**given: Any) -> Settings:
    return settings(environment="production", auth="jwt", **given)


def faults(app: FastAPI) -> list[str]:
    try:
        app.state.vitals.refuse_unguarded()
    except SettingsRefused as refusal:
        return refusal.faults
    return []


@pytest.mark.parametrize("kind", FOUND)
def test_a_route_that_says_nothing_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    add, names = FOUND[kind]

    found = faults(application(add, tmp_path, deployed()))

    assert [line.partition(": ")[0] for line in found] == names
    assert [line for line in found if ": does not say who may call it. Fix: " not in line] == []


@pytest.mark.parametrize("kind", GUARDED)
def test_a_route_that_says_who_may_call_it_is_not_refused(kind: str, tmp_path: Path) -> None:
    assert faults(application(GUARDED[kind], tmp_path, deployed())) == []


def test_a_mounted_application_that_is_public_is_so_as_a_whole(tmp_path: Path) -> None:
    add, _ = FOUND["a mounted application"]

    assert faults(application(add, tmp_path, deployed(), public=["/sub"])) == []


@pytest.mark.parametrize("kind", ["static files", "a frontend", "a route of Starlette"])
def test_what_has_no_dependencies_is_public_by_its_path(kind: str, tmp_path: Path) -> None:
    add, [name] = FOUND[kind]

    app = application(add, tmp_path, deployed(), public=[name.rpartition(" ")[2]])

    assert faults(app) == []


def test_a_guard_of_the_applications_own_is_named_in_guards(tmp_path: Path) -> None:
    def add(app: FastAPI, _: Path) -> None:
        app.get("/a", dependencies=[Depends(key)])(page)

    assert len(faults(application(add, tmp_path, deployed()))) == 1
    assert faults(application(add, tmp_path, deployed(), guards=[key])) == []


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    def add(app: FastAPI, _: Path) -> None:
        for path in ("/a", "/b", "/c"):
            app.get(path)(page)

    assert len(faults(application(add, tmp_path, deployed()))) == 3


@pytest.mark.parametrize("environment", ["local", "test"])
async def test_in_local_and_test_it_works_with_one_line_of_warning(
    environment: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    app.get("/a")(page)
    app.get("/b")(page)
    vitals.install(app, settings(environment=environment))

    with caplog.at_level(logging.WARNING, "vitals.engine"):
        async with testing.client(app) as client:
            assert (await client.get("/a")).status_code == 200

    [line] = [record.getMessage() for record in caplog.records if record.name == "vitals.engine"]
    assert "GET /a: does not say" in line
    assert "GET /b: does not say" in line


@pytest.mark.parametrize("environment", ["staging", "production"])
async def test_in_staging_and_production_it_does_not_start(environment: str) -> None:
    app = FastAPI()
    vitals.install(app, settings(environment=environment, auth="jwt"))
    app.get("/late")(page)  # a route that is added after the engine

    with pytest.raises(RuntimeError, match="GET /late: does not say who may call it"):
        async with testing.lifespan(app):
            pytest.fail("it started")


def test_without_authentication_every_route_has_to_be_public(tmp_path: Path) -> None:
    def add(app: FastAPI, _: Path) -> None:
        app.get("/public", openapi_extra=PUBLIC)(page)
        app.post("/orders", dependencies=GUARD)(page)
        app.websocket("/ws", dependencies=GUARD)(ws)

    found = faults(application(add, tmp_path, settings(environment="staging", auth="off")))

    assert found == [
        "APP_AUTH: off, but POST /orders requires a token. Fix: APP_AUTH=jwt",
        "APP_AUTH: off, but /ws requires a token. Fix: APP_AUTH=jwt",
    ]


def test_with_a_verify_of_the_applications_own_auth_may_be_off(tmp_path: Path) -> None:
    async def verify(_: str) -> vitals.Caller:
        return vitals.Caller("someone")

    given = settings(environment="staging", auth="off")
    app = application(GUARDED["the caller"], tmp_path, given, verify=verify)

    assert faults(app) == []


def test_the_guard_is_off_without_settings_until_it_is_asked_for() -> None:
    untouched, guarded = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
    for app in (untouched, guarded):
        app.get("/a")(page)
    vitals.install(untouched)
    vitals.install(guarded, guard=True)

    assert faults(untouched) == []
    assert [line.partition(":")[0] for line in faults(guarded)] == ["GET /a"]
