"""What an application has already: SQLAlchemy's engines, Redis clients, functions that check.

They are its own: nothing is opened or closed here. All statements and commands of the process are
counted, whatever made the engine or the client, and whenever.
"""

import asyncio
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

from vitals.dependency import Check, CheckFailed

REMEDY = "Check that its server runs and accepts connections."


class Adopted:
    """Engines or clients of one kind; each has a check, named by the kind and its number."""

    def __init__(self, name: str, given: Iterable[Any], probe: Callable[[Any], Any]) -> None:
        self.name, self._given, self._probe = name, tuple(given), probe

    async def open(self) -> None:
        """It is open when its first check runs."""

    async def close(self) -> None:
        """The application closes it."""

    def checks(self) -> list[Check]:
        names = [self.name, *(f"{self.name}-{n}" for n in range(2, len(self._given) + 1))]
        pairs = zip(names, self._given, strict=False)  # without any there is a name too many
        return [Check(name, Probe(partial(self._start, each)), REMEDY) for name, each in pairs]

    def gauges(self) -> dict[str, float]:
        if self.name != "database":
            return {}
        every: list[Any] = [getattr(_now(each), "pool", None) for each in self._given]
        pools = [pool for pool in every if hasattr(pool, "checkedout")]  # some kinds keep none
        sizes = [pool.size() + max(0, pool._max_overflow) for pool in pools]  # noqa: SLF001
        used = [pool.checkedout() for pool in pools]
        return {"db_client_connections_in_use": sum(used), "db_client_connections_max": sum(sizes)}

    def _start(self, each: Any) -> Any:
        if (found := _now(each)) is None:
            raise CheckFailed("it is not open yet")
        return self._probe(found)


def adopt(databases: Iterable[Any], redis: Iterable[Any], *, every: bool) -> Iterator[Adopted]:
    """The dependencies that engines and clients are, each given as an object or a function.

    With `every` statements and commands are counted even if none is given.
    """
    if databases := tuple(databases):
        yield Adopted("database", databases, _select)
    if redis := tuple(redis):
        yield Adopted("redis", redis, lambda client: client.ping())
    if databases or (every and "sqlalchemy" in sys.modules):
        import_module("vitals.statements").count_all()
    if redis or (every and "redis" in sys.modules):
        import_module("vitals.redis_commands").count_all()


def as_check(given: Check | Callable[[], Any]) -> Check:
    """A check, also of a function, with or without `async`, that raises when it fails."""
    if isinstance(given, Check):
        return given
    return Check(getattr(given, "__name__", type(given).__name__), Probe(given))


class Probe:
    """Calls a function. One without `async` runs in a thread, and in no second one if it hangs."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._running: asyncio.Task[Any] | None = None

    async def __call__(self) -> None:
        function = self._function
        run = function.func if isinstance(function, partial) else function
        if inspect.iscoroutinefunction(run):
            await function()
            return
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(asyncio.to_thread(function))
        result = await asyncio.shield(self._running)  # the thread can't be cancelled
        if inspect.isawaitable(result):
            await result


def _now(given: Any) -> Any:
    """The engine or client: functions return it, None or an error before it is open."""
    with suppress(AttributeError, LookupError):
        return given() if inspect.isroutine(given) or isinstance(given, partial) else given
    return None


def _select(engine: Any) -> Any:
    if hasattr(engine, "sync_engine"):
        return _select_async(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    return None


async def _select_async(engine: Any) -> None:
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SELECT 1")
