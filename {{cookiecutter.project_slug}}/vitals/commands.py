"""Commands of a service: a worker, a seed, an administrator's task, in a process of its own.

async def tidy(settings: Settings) -> None:
    dependencies = build_dependencies(settings)
    async with vitals.open_dependencies(dependencies.all), vitals.unit("job", "tidy"):
        ...

if __name__ == "__main__":
    sys.exit(vitals.command(tidy, Settings))
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

from vitals.observability import logs
from vitals.observability.access_log import AccessLog
from vitals.observability.metrics import Metrics
from vitals.request_stats import write_unit
from vitals.settings import Settings, SettingsRefused, load

CANCELLED = 128 + signal.SIGTERM  # the shell's exit status for it
log = logging.getLogger(__name__)


def command(function: Callable[[Any], Awaitable[None]], settings_type: type[Settings]) -> int:
    """Load the settings, set up the log as in the service, and run an async function with them.

    SIGTERM and SIGINT cancel it. Returns the exit status: 0, 1 after an exception, which is
    logged, 2 if the settings are refused, 143 if it was cancelled.
    """
    try:
        settings = load(settings_type, os.environ)
    except SettingsRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 2
    logs.install(logs.stdout, settings.log_format, settings.log_level)
    try:
        asyncio.run(_run(function, settings))
    except asyncio.CancelledError:
        return CANCELLED
    except Exception:
        log.exception("the command failed")
        return 1
    return 0


async def _run(function: Callable[[Any], Awaitable[None]], settings: Settings) -> None:
    running = cast("asyncio.Task[None]", asyncio.current_task())
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, running.cancel)
    metrics = Metrics({"version": settings.version}, lambda: (), ())
    write_unit.set(AccessLog(metrics, settings.log_format, settings.log_level).write_unit)
    await function(settings)
