"""A failover as clouds do it: a host that is gone without a word, a primary that is a standby."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.databases.conftest import url
from tests.databases.servers import Program
from tests.databases.test_pooler import database_at, failing
from vitals.problems import Problem


@pytest.fixture
def gone() -> Iterator[str]:
    """An address that answers nothing: its queue of new connections is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("parameters", ["", "&host={hosts}&port={ports}"])
async def test_a_host_that_is_gone_without_a_word_is_passed_over(
    tmp_path: Path, postgres: Program, gone: str, parameters: str
) -> None:
    there = f"localhost:{postgres.port}"
    ports = f"{gone.partition(':')[2]},{postgres.port}"
    wanted = "?target_session_attrs=read-write"
    wanted += parameters.format(hosts="127.0.0.1,localhost", ports=ports)
    both = "" if parameters else f"{gone},{there}"
    database = database_at(tmp_path, url(postgres, wanted).replace(there, both))

    async def is_healthy() -> bool:
        with contextlib.suppress(TimeoutError):
            return await failing(database) == {}
        return False

    async with asyncio.timeout(8):  # 4 x what one attempt may take
        while not await is_healthy():
            pass
        with contextlib.suppress(Problem):
            async with database.transaction():
                pass
        async with database.transaction() as session:
            assert await session.scalar(text("SELECT 1")) == 1
    await database.close()


async def test_a_connection_to_a_primary_that_became_a_standby_is_dropped(
    tmp_path: Path, postgres: Program
) -> None:
    database = database_at(tmp_path, url(postgres), pool_size=1)
    pid = text("SELECT pg_backend_pid()")
    write = text("CREATE TABLE written (number integer)")
    async with database.transaction() as session:
        before = await session.scalar(pid)
        # as the server does it when it is demoted, for this session
        await session.execute(text("SET default_transaction_read_only = on"))

    with pytest.raises(Problem) as refused:
        async with database.transaction() as session:
            await session.execute(write)
    async with database.transaction() as session:
        after = await session.scalar(pid)
        await session.execute(write)
        await session.execute(text("DROP TABLE written"))
    await database.close()

    assert refused.value.status == 503
    assert after != before
