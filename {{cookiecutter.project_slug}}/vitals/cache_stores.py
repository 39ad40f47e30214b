"""Where the cache keeps bytes: in this process, or on a server that speaks Redis."""

import asyncio
import re
import time
from collections import OrderedDict
from typing import Any, TypeAlias

from redis.asyncio.connection import ConnectionPool
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError, ResponseError

Store: TypeAlias = "LocalStore | RemoteStore"
FAILURES = (RedisError, OSError)  # what a store raises; TimeoutError is an OSError
FAILURES_IN_A_ROW = 3  # fewer may be chance
MAX_LOCAL_BYTES, KEY_BYTES = 32 * 2**20, 300  # in all; what a key takes beside its text and value
MAX_COMMANDS = 1000  # in one write
MAX_SCANS = 10  # of 1000 keys each, to find some
TICKS, TICK_SECONDS = 10, 0.005  # 50 ms in all: a slower cache is no help


class LocalStore:
    """In this process. When it is full, the values that were not used for longest go."""

    def __init__(self) -> None:
        self.failing = ""
        self._values: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    async def read(self, *keys: bytes) -> list[bytes | None]:
        now, found = time.monotonic(), [self._values.get(key) for key in keys]
        for key, entry in zip(keys, found, strict=True):
            if entry:
                self._values.move_to_end(key)
        return [entry[1] if entry and entry[0] > now else None for entry in found]

    async def write(self, key: bytes, value: bytes, seconds: float) -> None:
        await self.delete(key)
        self._values[key] = (time.monotonic() + seconds, value)
        self._bytes += len(key) + len(value) + KEY_BYTES
        while self._bytes > MAX_LOCAL_BYTES:
            await self.delete(next(iter(self._values)))

    async def delete(self, key: bytes) -> None:
        if entry := self._values.pop(key, None):
            self._bytes -= len(key) + len(entry[1]) + KEY_BYTES

    async def remove(self, prefix: bytes) -> int | None:
        """Delete the values whose keys have a prefix; return their number."""
        keys = [key for key in self._values if key.startswith(prefix)]
        found = [value for value in await self.read(*keys) if value is not None]
        for key in keys:
            await self.delete(key)
        return len(found)

    async def close(self) -> None:
        """Nothing is open."""


class RemoteStore:
    """On a server, over one connection: commands that come during an exchange leave together.

    So nobody waits for a pool, and a caller that is cancelled breaks no connection. `failing` is
    the kind of failure that came several times in a row.
    """

    def __init__(self, url: str) -> None:
        self.failing, self._failures = "", 0
        options: dict[str, Any] = {"protocol": 2, "driver_info": None, "socket_timeout": None}
        self._connection = ConnectionPool.from_url(url, **options).make_connection()
        self._waiting: list[tuple[tuple[Any, ...], asyncio.Future[Any]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def read(self, *keys: bytes) -> list[bytes | None]:
        found = await self._send("MGET", *keys)
        if not isinstance(found, list) or len(found) != len(keys):
            raise RedisError("a malformed answer")
        return [value if isinstance(value, bytes) else None for value in found]

    async def write(self, key: bytes, value: bytes, seconds: float) -> None:
        await self._send("SET", key, value, "PX", max(1, int(seconds * 1000)))

    async def delete(self, key: bytes) -> None:
        await self._send("DEL", key)

    async def remove(self, prefix: bytes) -> int | None:
        """Delete as a LocalStore does; None, and nothing goes, if the server has too many keys."""
        pattern = re.sub(rb"([\[\]*?\\])", rb"\\\1", prefix) + b"*"
        found, cursor = set[bytes](), b"0"
        for _ in range(MAX_SCANS):
            cursor, keys = await self._send("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            found.update(keys)
            if cursor == b"0":
                return int(await self._send("DEL", *found)) if found else 0
        return None

    async def close(self) -> None:
        if self._sending is not None:
            await self._sending
        await self._connection.disconnect(nowait=True)

    def _send(self, *command: Any) -> asyncio.Future[Any]:
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())
        return answer

    async def _send_all(self) -> None:
        while batch := self._waiting[:MAX_COMMANDS]:
            del self._waiting[:MAX_COMMANDS]
            try:
                answers = await self._exchange([command for command, _ in batch])
            except Exception as error:  # whatever a malformed answer leads to
                batch += self._waiting
                self._waiting.clear()
                known = error if isinstance(error, FAILURES) else RedisError(repr(error))
                answers = [known] * len(batch)
            failed = [answer for answer in answers if isinstance(answer, Exception)]
            self._failures = self._failures + 1 if failed else 0
            if self._failures >= FAILURES_IN_A_ROW:
                self.failing = type(failed[0]).__name__
            for (_, caller), answer in zip(batch, answers, strict=True):
                if not caller.done():  # otherwise it was cancelled
                    is_error = isinstance(answer, Exception)
                    (caller.set_exception if is_error else caller.set_result)(answer)

    async def _exchange(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """The answers to some commands. Raises TimeoutError after 50 ms."""
        connection = self._connection
        if self._failures:  # after a failover the old server refuses what the new one takes
            await connection.disconnect(nowait=True)
        reused = connection.is_connected
        try:
            async with asyncio.timeout(None) as limit:
                self._tick(limit, TICKS)
                await connection.connect()
                packed = connection.pack_commands(commands)
                await connection.send_packed_command(packed, check_health=False)
                return [await self._answer() for _ in commands]
        except ConnectionLost:
            if not reused:  # otherwise the server may have closed it while it was idle
                raise
        finally:
            self._timer.cancel()
        await connection.disconnect(nowait=True)
        return await self._exchange(commands)

    async def _answer(self) -> Any:
        try:
            return await self._connection.read_response()
        except ResponseError as error:
            return error

    def _tick(self, limit: asyncio.Timeout, left: int) -> None:
        """Time out after some ticks: however late the event loop is, it is one tick."""
        if left == 0:
            limit.reschedule(0)
        later = asyncio.get_running_loop().call_later
        self._timer = later(TICK_SECONDS, self._tick, limit, left - 1)
