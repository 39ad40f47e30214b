"""The client of the cache's server, against a server that answers what a test tells it to.

With a real server: tests/faults/test_cache.py.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from redis.exceptions import RedisError

from vitals import cache_stores
from vitals.cache_stores import FAILURES, FAILURES_IN_A_ROW, RemoteStore

Answers = Callable[[bytes], bytes | None]


class Server:
    """Answers each command with what `answers` returns; None closes the connection."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.writes: list[int] = []  # the number of commands that came in each piece
        self.connections = 0
        self.running: list[asyncio.Task[None] | None] = []
        self.answers: Answers | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.running.append(asyncio.current_task())
        with suppress(OSError):  # the client is gone
            while (data := await reader.read(1_000_000)) and self._answer(data, writer):
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def _answer(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        commands = [part.split(b"\r\n")[2::2] for part in (b"\r\n" + data).split(b"\r\n*")[1:]]
        self.writes.append(len(commands))
        answers = [(self.answers or self._usual)(b" ".join(words)) for words in commands]
        writer.writelines(answer for answer in answers if answer is not None)
        return None not in answers

    def _usual(self, command: bytes) -> bytes:
        verb, key, *more = command.split(b" ")
        if verb == b"SET":
            self.values[key] = more[0]
            return b"+OK\r\n"
        if verb == b"DEL":
            return b":%d\r\n" % (self.values.pop(key, None) is not None)
        found = [self.values.get(each) for each in (key, *more)]
        parts = [b"$-1\r\n" if v is None else b"$%d\r\n%b\r\n" % (len(v), v) for v in found]
        return b"*%d\r\n" % len(parts) + b"".join(parts)


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[str]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        listener.close()
        await asyncio.gather(*filter(None, server.running))


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def store(server: Server) -> AsyncIterator[RemoteStore]:
    async with listening(server) as url:
        store = RemoteStore(url)
        yield store
        await store.close()


async def test_what_is_written_is_read_until_it_is_deleted(store: RemoteStore) -> None:
    await store.write(b"a", b"1", 60)

    assert await store.read(b"a", b"b") == [b"1", None]
    await store.delete(b"a")
    assert await store.read(b"a") == [None]


async def test_commands_of_many_callers_leave_together_over_one_connection(
    store: RemoteStore, server: Server
) -> None:
    await asyncio.gather(*(store.write(b"%d" % n, b"v%d" % n, 60) for n in range(300)))
    found = await asyncio.gather(*(store.read(b"%d" % n) for n in range(300)))

    assert found == [[b"v%d" % n] for n in range(300)]
    assert server.connections == 1
    assert len(server.writes) <= 6


async def test_a_caller_that_is_cancelled_breaks_no_connection_and_no_other_answer(
    store: RemoteStore, server: Server
) -> None:
    await store.write(b"a", b"1", 60)
    for steps in range(8):
        asking = [asyncio.create_task(store.read(b"a")) for _ in range(3)]
        for _ in range(steps):
            await asyncio.sleep(0)
        asking[1].cancel()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert [found[0], found[2]] == [[b"1"], [b"1"]]

    assert server.connections == 1


async def test_a_connection_that_was_closed_while_idle_is_made_again(
    store: RemoteStore, server: Server
) -> None:
    await store.write(b"a", b"1", 60)
    closed = iter([None])
    server.answers = lambda command: next(closed, server._usual(command))

    assert await store.read(b"a") == [b"1"]
    assert (server.connections, store.failing) == (2, "")


HOSTILE: dict[str, bytes | None] = {
    "closes": None,
    "a number": b":7\r\n",
    "too few": b"*1\r\n$1\r\nx\r\n",
    "too many": b"*3\r\n$1\r\nx\r\n$1\r\nx\r\n$1\r\nx\r\n",
    "no list": b"$-1\r\n",
    "no protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "no length": b"$abc\r\n",
    "nested": b"*1\r\n" * 5_000,
    "loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    "read only": b"-READONLY You can't write against a read only replica.\r\n",
    "no permission": b"-NOPERM this user has no permissions\r\n",
    "moved": b"-MOVED 3999 127.0.0.1:6381\r\n",
    "full": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "half": b"*2\r\n$100\r\nx",
    "silent": b"",
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_whatever_a_server_answers_is_a_failure_and_several_in_a_row_name_it(
    store: RemoteStore, server: Server, kind: str
) -> None:
    server.answers = lambda _: HOSTILE[kind]
    named = []
    for _ in range(FAILURES_IN_A_ROW):
        async with asyncio.timeout(10):
            with pytest.raises(FAILURES):
                await store.read(b"a", b"b")
        named.append(bool(store.failing))

    malformed = kind in ("a number", "too few", "too many", "no list")  # of one caller, not of all
    assert malformed or named == [False] * (FAILURES_IN_A_ROW - 1) + [True]
    server.answers = None
    await store.write(b"a", b"1", 60)
    assert await store.read(b"a") == [b"1"]


async def test_parts_of_another_type_are_misses(store: RemoteStore, server: Server) -> None:
    server.answers = lambda _: b"*2\r\n:1\r\n*0\r\n"

    assert await store.read(b"a", b"b") == [None, None]


async def test_one_refused_command_is_its_callers_failure_and_no_one_elses(
    store: RemoteStore, server: Server
) -> None:
    server.answers = lambda c: b"-OOM full\r\n" if c.startswith(b"SET") else server._usual(c)

    found = await asyncio.gather(
        store.read(b"a"), store.write(b"a", b"1", 60), store.read(b"b"), return_exceptions=True
    )

    assert (found[0], found[2]) == ([None], [None])
    assert isinstance(found[1], RedisError)


async def test_without_a_server_each_command_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_stores, "TICKS", 2_000)  # so that it can't be the time-out
    server = Server()
    async with listening(server) as url:
        pass
    store = RemoteStore(url)

    with pytest.raises(FAILURES):
        await store.read(b"a")
    await store.close()


@pytest.mark.parametrize(("last", "removed"), [(b"0", 2), (b"7", None)])
async def test_values_under_a_prefix_are_removed_unless_finding_them_takes_long(
    store: RemoteStore, server: Server, last: bytes, removed: int | None
) -> None:
    seen = list[bytes]()

    def answers(command: bytes) -> bytes:
        seen.append(command)
        if command.startswith(b"DEL"):
            return b":%d\r\n" % (len(command.split()) - 1)
        return b"*2\r\n$1\r\n%b\r\n*2\r\n$3\r\na:1\r\n$3\r\na:2\r\n" % last

    server.answers = answers

    assert await store.remove(b"[a]:") == removed
    assert b"MATCH \\[a\\]:* COUNT 1000" in seen[0]
    assert len(seen) <= cache_stores.MAX_SCANS
