"""`vitals.install`: the one call that adds the engine to a FastAPI application."""

import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import SecretStr

from vitals import adopted
from vitals.dependency import Check, Dependency
from vitals.engine import Engine
from vitals.options import Options
from vitals.problems import ErrorResponse
from vitals.security.callers import Verify
from vitals.settings import Settings
from vitals.status.reporter import Section

Environment = Literal["local", "test", "staging", "production"]
log = logging.getLogger(__name__)


def install(
    app: FastAPI,
    settings: Settings | None = None,
    *,
    name: str | None = None,
    version: str | None = None,
    environment: Environment = "production",
    token: str | None = None,
    dependencies: Iterable[Dependency] = (),
    databases: Iterable[Any] = (),
    redis: Iterable[Any] = (),
    checks: Iterable[Check | Callable[[], Any]] = (),
    required: Collection[str] = (),
    runbook: str | None = None,
    prefix: str = "",
    folder: str | Path | None = None,
    index: bool = True,
    problems: bool | None = None,
    guard: bool | None = None,
    security: bool | None = None,
    reraise: bool | None = None,
    guards: Collection[Callable[..., Any]] = (),
    public: Collection[str] = (),
    verify: Verify | None = None,
    scopes_claim: str = "scope",
    error_response: ErrorResponse | None = None,
    sections: Mapping[str, Section] | None = None,
) -> None:
    """Add logs, metrics, health, the status page, limits and security to an application.

    Call it once, when the routes are added; nothing is opened before the application starts.

    With `settings` the engine reads environment, version and the operators' token from them, and
    `problems`, `guard` and `security` are on: every error has the one shape, routes must say who
    may call them, headers and limits are set. Without, answers stay as they are, an unhandled
    error is raised again after it was recorded (`reraise`), and `environment`, `version` and
    `token` are arguments; without a token the operators' paths refuse everyone outside `local`.

    dependencies: databases, caches and clients, which are opened, checked and closed.
    databases, redis: SQLAlchemy's engines and Redis clients that the application has, or functions
        that return them once they are open: checked, and all their statements and commands counted.
    checks, required: further checks or functions that raise, and those without which it is not
        ready.
    guards: your own FastAPI dependencies that refuse a caller.
    public: paths that anyone may call and that have no route options: static files, mounts.
    verify: turns a bearer token into a Caller, or None if it is not valid, in every environment;
    APP_AUTH then has no effect.
    scopes_claim: the claim of the issuer's tokens that holds the scopes: scope, scp, permissions.
    error_response: builds the response of an error; replaces application/problem+json.
    sections: tables of the status page, by title: functions that return names and values.
    runbook: the address of the runbook that findings link to; RUNBOOK.md by default.
    prefix: a path before those of the engine: /livez becomes /prefix/livez.
    index: find routes by an index instead of trying one after the other; False for a router that
        is changed in ways that the index can't see, such as replacing an element of `routes`.

    folder: for several workers: a folder of this service in memory or on a local disk, created if
        it is missing. /metrics, /status and /health are then about all workers that share it.

    Raises ValueError for a name in `required` without a check, for two checks of one name, and for
    a `folder` that others may read; OSError where it can't be created; ImportError beside another
    package named `vitals`.
    """
    if isinstance(getattr(app.state, "vitals", None), Engine):
        log.warning("vitals is installed on %r already: nothing was done", app.title)
        return
    own = settings is not None
    if settings is None:
        _refuse_namesake()
        settings = Settings.model_construct(
            environment=environment,
            version=version or app.version,
            ops_token=SecretStr(token or ""),
        )
    options = Options(
        settings=settings,
        own=own,
        name=name or app.title,
        dependencies=(*dependencies, *adopted.adopt(databases, redis, every=not own)),
        checks=[adopted.as_check(each) for each in checks],
        required=required,
        runbook=runbook or "RUNBOOK.md",
        prefix=prefix,
        folder=_private(Path(folder)) if folder else None,
        index=index,
        problems=own if problems is None else problems,
        guard=own if guard is None else guard,
        security=own if security is None else security,
        reraise=not own if reraise is None else reraise,
        guards=guards,
        public=public,
        verify=verify,
        scopes_claim=scopes_claim,
        error_response=error_response,
        sections=sections or {},
    )
    Engine(app, options).attach()


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        fix = "give a folder of this service alone, or chmod 700 it"
        raise ValueError(f"folder: {folder} is not only this user's. Fix: {fix}")
    return folder


def _refuse_namesake() -> None:
    """The index has another package with this import name: files of both would be mixed."""
    with suppress(PackageNotFoundError):
        found = version_of("vitals")
        raise ImportError(f"the package vitals {found} has this import name. Fix: uninstall it")
