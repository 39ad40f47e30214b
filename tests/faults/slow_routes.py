"""The generated service with slow routes. Run by its own Python, in its folder."""

import asyncio
import gc
import logging
import os
import sys
import time
from collections.abc import AsyncIterator
from itertools import count

from fastapi import BackgroundTasks, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.main import create_app
from app.settings import Settings
from vitals import load, serve
from vitals.validation import Line, Model

settings = load(Settings, os.environ)
service = create_app(settings)


@service.get("/slow")
async def slow(seconds: float = 0.2) -> str:
    await asyncio.sleep(seconds)
    return "done"


@service.get("/stream")
async def stream() -> StreamingResponse:
    async def numbers() -> AsyncIterator[bytes]:
        for number in count():
            yield b"%d\n" % number
            await asyncio.sleep(0.1)  # one line each 100 ms

    return StreamingResponse(numbers())


@service.get("/short")
async def short() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    return StreamingResponse(parts(), headers={"Content-Length": "6"})


@service.get("/objects")
async def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


@service.get("/stuck")
async def stuck(seconds: float = 3) -> str:
    time.sleep(seconds)  # noqa: ASYNC251 - this is the fault
    return "done"


@service.get("/blocked")
def blocked(seconds: float = 60) -> str:
    time.sleep(seconds)  # in a thread of the pool
    return "done"


@service.get("/behind")
async def behind(tasks: BackgroundTasks) -> str:
    tasks.add_task(asyncio.sleep, 60)
    return "done"


@service.get("/large")
async def large() -> str:
    return "x" * 200_000


@service.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive_text()


@service.post("/whole")
async def whole(request: Request) -> Response:
    return Response(await request.body(), headers={"X-Id": request.headers.get("x-id", "")})


@service.post("/echo")
async def echo(body: dict[str, int]) -> dict[str, int]:
    return body


class Order(Model):
    name: Line = Field("", max_length=200)
    numbers: list[int] = Field(default_factory=list)
    named: dict[str, int] = Field(default_factory=dict)
    grid: list[list[int]] = Field(default_factory=list)
    orders: "list[Required]" = Field(default_factory=list)


class Required(Model):
    name: str
    price: int


class Plain(BaseModel):
    orders: list[Required] = Field(default_factory=list)


@service.post("/model")
async def model(order: Order) -> int:
    return len(order.numbers)


@service.post("/plain")
async def plain(order: Plain) -> int:
    return len(order.orders)


@service.get("/defect")
async def defect() -> None:
    raise RuntimeError


class Broken:
    def __str__(self) -> str:
        raise RuntimeError


@service.get("/log")
async def log() -> str:
    library = logging.getLogger("library")
    cycle: list[object] = []
    cycle.append(cycle)
    library.info("%d", "two")
    library.info("%s", Broken())
    for wrong in ({(1, 2): 3}, {"a": cycle}, {"a": Broken()}):
        library.info("wrong", extra=wrong)
    library.info("\x1b[2J", extra={"level": "forged", "request_id": "forged"})
    return "done"


sys.exit(serve(service, settings))
