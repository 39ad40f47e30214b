"""TLS with a real PostgreSQL: who is believed, and what is refused."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.databases.conftest import url
from tests.databases.servers import Program
from vitals.database_engine import build_engine

IS_ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


async def connected(address: str) -> bool:
    """Connect; whether the connection is encrypted."""
    engine = build_engine(address, 1, {})
    try:
        async with engine.connect() as connection:
            return bool(await connection.scalar(text(IS_ENCRYPTED)))
    finally:
        await engine.dispose()


@pytest.mark.parametrize(
    ("parameters", "encrypted"),
    [
        ("", True),
        ("?sslmode=disable", False),
        ("?sslmode=allow", False),
        ("?sslmode=prefer", True),
        ("?sslmode=require", True),
        ("?sslmode=require&sslrootcert={folder}/ca.pem", True),
        ("?sslmode=verify-ca&sslrootcert={folder}/ca.pem", True),
        ("?sslmode=verify-full&sslrootcert={folder}/ca.pem", True),
        ("?sslmode=require&channel_binding=require&sslrootcert={folder}/ca.pem", True),
        ("?sslmode=require&ssl_min_protocol_version=TLSv1.3&channel_binding=prefer", True),
        ("?sslmode=require&application_name=orders&connect_timeout=5", True),
        ("?sslmode=require&target_session_attrs=read-write", True),
        ("?sslmode=require&options=-c%20work_mem%3D8MB", True),
        ("?sslmode=require&connection_limit=1&keepalives=1&pgbouncer=true", True),
    ],
)
async def test_a_url_connects_as_it_says(
    postgres: Program, parameters: str, encrypted: bool
) -> None:
    address = url(postgres, parameters.format(folder=postgres.folder))

    assert await connected(address) is encrypted


@pytest.mark.parametrize(
    ("parameters", "host"),
    [
        ("?sslmode=verify-ca&sslrootcert={folder}/other.pem", "localhost"),
        ("?sslmode=require&sslrootcert={folder}/other.pem", "localhost"),
        ("?sslmode=verify-full&sslrootcert={folder}/ca.pem", "127.0.0.1"),
        ("?sslmode=verify-full&sslrootcert=system", "localhost"),
        ("?sslmode=require&channel_binding=require", "localhost"),
    ],
)
async def test_a_server_that_cannot_prove_who_it_is_is_refused(
    postgres: Program, parameters: str, host: str
) -> None:
    with pytest.raises(DBAPIError, match="certificate verify failed"):
        await connected(url(postgres, parameters.format(folder=postgres.folder), host))


async def test_a_verified_authority_may_be_at_another_address(postgres: Program) -> None:
    parameters = f"?sslmode=verify-ca&sslrootcert={postgres.folder}/ca.pem"

    assert await connected(url(postgres, parameters, "127.0.0.1"))


async def test_parameters_reach_the_session(postgres: Program) -> None:
    engine = build_engine(
        url(postgres, "?application_name=orders&options=-c%20work_mem%3D8MB"),
        1,
        {"statement_timeout": 5000, "lock_timeout": 700},
    )
    names = ("application_name", "work_mem", "statement_timeout", "lock_timeout")
    async with engine.connect() as connection:
        values = [await connection.scalar(text(f"SHOW {name}")) for name in names]
    await engine.dispose()

    assert values == ["orders", "8MB", "5s", "700ms"]


async def test_the_socket_of_a_folder_and_the_second_of_two_hosts_are_reached(
    postgres: Program,
) -> None:
    socket = f"?host={postgres.folder}&port={postgres.port}"
    address = url(postgres, socket, "").replace(f"@:{postgres.port}/", "@/")
    gone, there = "127.0.0.1:1", f"localhost:{postgres.port}"

    assert not await connected(address)  # a socket needs none
    assert await connected(url(postgres).replace(there, f"{gone},{there}"))


async def test_a_wrong_password_is_a_reason_that_shows_none(postgres: Program) -> None:
    wrong = url(postgres).replace("p%2Fw", "not-this-word")

    with pytest.raises(DBAPIError) as refused:
        await asyncio.wait_for(connected(wrong), 10)

    assert "password authentication failed" in str(refused.value)
    assert "not-this-word" not in str(refused.value)
