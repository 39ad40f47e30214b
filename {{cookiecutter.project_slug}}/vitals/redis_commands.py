"""The commands of Redis clients: each is counted in the stats of its request."""

import inspect
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import redis
import redis.asyncio
from redis import client
from redis.asyncio import client as async_client

from vitals import request_stats

COUNTED = "counted_by_vitals"
METHODS = (
    *((redis.Redis, "execute_command"), (redis.asyncio.Redis, "execute_command")),
    *((client.Pipeline, "execute"), (async_client.Pipeline, "execute")),
)


def count_all() -> None:
    """Count those of every client, once for this process."""
    for kind, name in METHODS:
        if not hasattr(run := getattr(kind, name), COUNTED):
            setattr(kind, name, _timed(run))


def _timed(run: Callable[..., Any]) -> Callable[..., Any]:

    @wraps(run)
    def timed(*args: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            result = run(*args, **options)
        except BaseException:
            _add(started)
            raise
        if not inspect.isawaitable(result):
            _add(started)
            return result
        return _until_done(result, started)

    setattr(timed, COUNTED, True)
    return timed


async def _until_done(result: Any, started: float) -> Any:
    try:
        return await result
    finally:
        _add(started)


def _add(started: float) -> None:
    request_stats.add_call("redis", (time.perf_counter() - started) * 1000, "redis")
