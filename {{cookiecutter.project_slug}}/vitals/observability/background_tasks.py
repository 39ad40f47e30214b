"""Background tasks: each has a line of its own, with the ID of its request."""

from functools import partial, wraps
from typing import Any

from starlette.background import BackgroundTask

from vitals.observability.observed_request import ObservedRequest
from vitals.request_stats import current
from vitals.units import unit

MARK = "observed"


def observe() -> None:
    """Have every BackgroundTask observed, once for this process; those of other apps just run."""
    run = BackgroundTask.__call__
    if hasattr(run, MARK):
        return

    @wraps(run)
    async def observed(task: BackgroundTask) -> None:
        request = current.get()
        if type(task).__call__ is not observed or not isinstance(request, ObservedRequest):
            await run(task)
            return
        if not request.closed:  # its answer was sent
            request.finish()
        async with unit("task", _name(task.func)):
            await run(task)

    setattr(observed, MARK, True)
    BackgroundTask.__call__ = observed  # type: ignore[method-assign]


def _name(function: Any) -> str:
    """A bounded number of names: a function's, or the type of what else can be called."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__qualname__", type(function).__qualname__))
