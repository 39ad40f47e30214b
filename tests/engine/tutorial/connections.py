"""Pages about websockets, databases, and what runs beside requests."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    Cookie,
    Depends,
    FastAPI,
    HTTPException,
    Query,
    Request,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
from pydantic import BaseModel
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from tests.engine.tutorial.pages import Asks, ask, page, talk


@page("advanced/websockets")
def websockets(app: FastAPI) -> Asks:
    left: list[str] = []

    @app.websocket("/echo/{room}")
    async def echo(websocket: WebSocket, room: str, q: str | None = None) -> None:
        await websocket.accept()
        try:
            while True:
                text = await websocket.receive_text()
                await websocket.send_text(f"{room} {q} {text}")
        except WebSocketDisconnect:
            left.append(room)

    async def echoes(app: FastAPI) -> None:
        assert await talk(app, "/echo/a?q=1", "x", "y") == ["a 1 x", "a 1 y"]
        assert left == ["a"]

    return [echoes]


@page("advanced/websockets, dependencies")
def websocket_dependencies(app: FastAPI) -> Asks:
    async def token(
        websocket: WebSocket,
        session: Annotated[str | None, Cookie()] = None,
        token: Annotated[str | None, Query()] = None,
    ) -> str:
        assert websocket.url.path == "/ws"
        if not (session or token):
            raise WebSocketException(code=1008)
        return session or token or ""

    @app.websocket("/ws")
    async def ws(websocket: WebSocket, token: Annotated[str, Depends(token)]) -> None:
        await websocket.accept()
        await websocket.send_text(token + await websocket.receive_text())
        await websocket.close(1001)

    async def guarded(app: FastAPI) -> None:
        assert await talk(app, "/ws?token=a", "x") == ["ax"]
        assert await talk(app, "/ws", "x", headers={"cookie": "session=b"}) == ["bx"]
        assert await talk(app, "/ws") in (403, 1008)  # refused at the handshake
        assert await talk(app, "/nowhere") in (403, 404, 1000)

    return [guarded]


@page("tutorial/sql-databases", differs=["error shape"])
def sql_databases(app: FastAPI) -> Asks:
    class Base(DeclarativeBase):
        pass

    class Hero(Base):
        __tablename__ = "heroes"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    class NewHero(BaseModel):
        name: str

    class PublicHero(NewHero, from_attributes=True):
        id: int

    engine = create_engine(
        "sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool
    )
    Base.metadata.create_all(engine)

    def session() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    @app.post("/heroes", response_model=PublicHero)
    def add(hero: NewHero, session: Annotated[Session, Depends(session)]) -> Any:
        row = Hero(name=hero.name)
        session.add(row)
        session.commit()
        session.refresh(row)
        return row

    @app.get("/heroes", response_model=list[PublicHero])
    def heroes(
        session: Annotated[Session, Depends(session)], limit: Annotated[int, Query(le=100)] = 100
    ) -> Any:
        return session.scalars(select(Hero).limit(limit)).all()

    @app.get("/heroes/{hero_id}")
    def hero(hero_id: int, session: Annotated[Session, Depends(session)]) -> PublicHero:
        if (row := session.get(Hero, hero_id)) is None:
            raise HTTPException(404, "no such hero")
        return PublicHero.model_validate(row)

    def closed(_: FastAPI) -> None:
        engine.dispose()

    found, label = {"name": "ada", "id": 1}, "/heroes/{hero_id}"
    return [
        ask("POST /heroes", found, json={"name": "ada"}),
        ask("GET /heroes?limit=1", [found]),
        ask("GET /heroes?limit=101", status=422),
        ask("GET /heroes/2", lambda a: a.json()["detail"] == "no such hero", 404, label),
        closed,
    ]


@page("async")
def def_and_async_def(app: FastAPI) -> Asks:
    main = threading.get_ident()

    @app.get("/thread")
    def in_a_thread() -> bool:
        return threading.get_ident() != main

    @app.get("/loop")
    async def on_the_loop() -> bool:
        return threading.get_ident() == main

    return [ask("GET /thread", "true"), ask("GET /loop", "true")]


@page("advanced/events")
def events(app: FastAPI) -> Asks:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        app.state.model = "loaded"
        yield {"client": "open"}

    app.include_router(APIRouter(lifespan=lifespan))

    @app.get("/teas")
    async def teas(request: Request) -> str:
        return str(request.app.state.model)

    return [ask("GET /teas", '"loaded"')]


SEEN: list[str] = []


@asynccontextmanager
async def around(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    SEEN[:] = ["start"]
    yield {"client": "open"}
    SEEN.append("stop")


@page("advanced/events, FastAPI(lifespan=…)", fastapi={"lifespan": around})
def events_of_the_application(app: FastAPI) -> Asks:
    @app.get("/teas")
    async def teas() -> list[str]:
        return SEEN

    return [ask("GET /teas", ["start"])]


@page("advanced/events, on_event")
def old_events(app: FastAPI) -> Asks:
    started: list[str] = []
    app.router.on_startup.append(lambda: started.append("started"))

    @app.get("/teas")
    async def teas() -> list[str]:
        return started

    return [ask("GET /teas", ["started"])]
