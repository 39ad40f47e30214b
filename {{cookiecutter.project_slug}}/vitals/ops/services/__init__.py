"""Which real services do the tests meet, and where? Each module in this folder is one of them.

A service is taken from where its environment variable points; without one, a throw-away server
is started from a Python wheel: no containers, no root. A new module joins by lying here.
"""

import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from vitals.ops.project import setup
from vitals.ops.run.shell import Program
from vitals.ops.run.steps import Refused

REQUIREMENTS = setup.ROOT / "requirements-services.txt"


class Server(NamedTuple):
    url: str
    version: str


class Service(NamedTuple):
    name: str
    given_by: str
    setting: str
    throw_away: Callable[[], AbstractContextManager[Server]]
    prepare: Callable[[Mapping[str, str]], None] = lambda _: None


class Running(NamedTuple):
    environment: dict[str, str]
    described: list[str]


def known() -> list[Service]:
    """All services that this project has."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return [importlib.import_module(f"{__name__}.{name}").SERVICE for name in sorted(names)]


@contextmanager
def running(prepared: bool = True) -> Iterator[Running]:
    """Have every service up and `prepared` for the app; yield the settings that point to them.

    Raises `Refused` when a throw-away server does not start.
    """
    with ExitStack() as stack:
        environment: dict[str, str] = {}
        described: list[str] = []
        for service in known():
            if url := os.environ.get(service.given_by):
                described.append(f"{service.name}: the one at {service.given_by}")
            else:
                url, version = stack.enter_context(_throw_away(service))
                described.append(f"{service.name}: {version}, throw-away")
            environment[service.setting] = url
            if prepared:
                service.prepare(environment)
        yield Running(environment, described)


@contextmanager
def until_ready(
    service: Service,
    command: Sequence[str | Path],
    folder: Path,
    ready: bytes,
    user: int | None = None,
) -> Iterator[None]:
    """Run a server in its private folder; the block is entered once its log says `ready`."""
    log = folder / "log"
    with (
        log.open("wb") as output,
        Program(command, output=output, folder=folder, user=user) as program,
    ):
        if not program.wait_until(lambda: ready in log.read_bytes(), within_seconds=30):
            raise Refused(
                f"the throw-away {service.name} did not start",
                fix=f"read its log above, or name a server in {service.given_by}",
                output=log.read_text(errors="replace"),
            )
        yield


def _throw_away(service: Service) -> AbstractContextManager[Server]:
    if not setup.installed(REQUIREMENTS):
        setup.install(REQUIREMENTS)
    return service.throw_away()
