"""A PostgreSQL with TLS and a PgBouncer from Debian's packages, each on a free port."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg

from tests import baking
from tests.faults.service import accepts

PROGRAMS = "/usr/lib/postgresql/*/bin"
BOUNCER = Path("/usr/sbin/pgbouncer")
PASSWORD = "p/w@:[#%é?"  # one that must be encoded in a URL
QUOTED = "p%2Fw%40%3A%5B%23%25%C3%A9%3F"
# What the package's own configuration says, but for where it listens and what it writes.
CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = md5
auth_file = {folder}/users.txt
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
pool_mode = {mode}
"""


def missing() -> list[str]:
    """Debian's packages that are not on this machine."""
    found = {"postgresql": any(Path("/").glob(PROGRAMS[1:])), "pgbouncer": BOUNCER.exists()}
    return [package for package, is_here in found.items() if not is_here]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that another user may enter; a socket's path may not be long either."""
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def answers(url: str) -> bool:
    """Whether the database at a URL answers a statement."""

    async def ask() -> bool:
        connection = await asyncpg.connect(url, timeout=2, statement_cache_size=0)
        try:
            return await connection.execute("SELECT 1") == "SELECT 1"
        finally:
            await connection.close()

    with suppress(OSError, asyncpg.PostgresError):
        return asyncio.run(ask())
    return False


class Program:
    """A server in the foreground, as a user that is not root; it can be stopped and started."""

    def __init__(
        self, command: Sequence[str | Path], port: int, folder: Path, stop_by: int
    ) -> None:
        self.port, self.folder = port, folder
        self._command, self._stop_by = command, stop_by

    def start(self) -> None:
        user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        log = (self.folder / "output.log").open("ab")
        self._process = subprocess.Popen(self._command, user=user, stdout=log, stderr=log)
        log.close()
        baking.wait_until(lambda: accepts(self.port) or self._process.poll() is not None, 20)
        assert self._process.poll() is None, (self.folder / "output.log").read_text()

    def stop(self) -> None:
        """Close all connections and end."""
        self._process.send_signal(self._stop_by)
        self._process.wait(20)


@contextmanager
def postgres(folder: Path, *options: str) -> Iterator[Program]:
    """A PostgreSQL whose certificate is for `localhost`, by the authority in `folder/ca.pem`."""
    programs = max(Path("/").glob(PROGRAMS[1:]))
    port = baking.free_port()
    folder.mkdir()
    (folder / "password").write_text(PASSWORD)
    _give_away(folder)
    _certificates(folder)
    data = folder / "data"
    arguments = ["-D", data, "--username=app", "--auth=scram-sha-256", "--no-locale", "--no-sync"]
    arguments += ["--encoding=UTF8", f"--pwfile={folder / 'password'}"]
    _run(programs / "initdb", *arguments)
    command: list[str | Path] = [programs / "postgres", "-D", data, "-p", str(port)]
    command += ["-h", "127.0.0.1", "-k", folder, "--fsync=off", *options, "--ssl=on"]
    command += [f"--ssl_{kind}_file={folder}/server.{kind}" for kind in ("cert", "key")]
    yield from _running(Program(command, port, folder, signal.SIGINT))


@contextmanager
def bouncer(folder: Path, target: int, mode: str, password: str = PASSWORD) -> Iterator[Program]:
    """A PgBouncer before a PostgreSQL on a port, with its default configuration."""
    folder.mkdir()
    port = baking.free_port()
    (folder / "users.txt").write_text(f'"app" "{password}"\n')
    given = {"target": target, "port": port, "folder": folder, "mode": mode}
    (folder / "pgbouncer.ini").write_text(CONFIGURATION.format(**given))
    _give_away(folder)
    yield from _running(Program([BOUNCER, folder / "pgbouncer.ini"], port, folder, signal.SIGTERM))


def _running(program: Program) -> Iterator[Program]:
    program.start()
    try:
        yield program
    finally:
        program.stop()


def _certificates(folder: Path) -> None:
    """An authority, the server's certificate by it, and another authority."""
    new = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"]
    for name in ("ca", "other"):
        _run(
            *new,
            "-subj",
            f"/CN={name}",
            "-keyout",
            folder / f"{name}.key",
            "-out",
            folder / f"{name}.pem",
        )
    _run(
        *new,
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"),
        *("-keyout", folder / "server.key", "-out", folder / "server.cert"),
    )


def _run(*command: str | Path) -> None:
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    done = subprocess.run(command, user=user, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _give_away(folder: Path) -> None:
    """Let `nobody` read and write it: PostgreSQL refuses root."""
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "nobody")
