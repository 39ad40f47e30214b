"""Vitals: response time, errors, cache status and database calls of every request, and health.

    import vitals

    vitals.install(app, settings)

Names are loaded at their first use: what ships the service imports this package without the
framework. With drivers: `vitals.database`, `vitals.cache`.
"""

# ruff: noqa: F401 - __all__ names what is imported for type checkers
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitals.budget import cost
    from vitals.commands import command
    from vitals.dependency import Check, CheckFailed, Dependency
    from vitals.installation import install
    from vitals.observability.own_metrics import counter, gauge, histogram
    from vitals.outermost import open_dependencies
    from vitals.problems import Problem
    from vitals.request_stats import add_call, add_field, call, request_id
    from vitals.security.callers import PUBLIC, Caller, caller, optional_caller
    from vitals.security.request_timeout import deadline
    from vitals.server.serve import main, serve
    from vitals.settings import CacheSettings, DatabaseSettings, Settings, SettingsRefused, load
    from vitals.units import unit

_HOMES = {
    "vitals.budget": ("cost",),
    "vitals.commands": ("command",),
    "vitals.dependency": ("Check", "CheckFailed", "Dependency"),
    "vitals.installation": ("install",),
    "vitals.observability.own_metrics": ("counter", "gauge", "histogram"),
    "vitals.outermost": ("open_dependencies",),
    "vitals.problems": ("Problem",),
    "vitals.request_stats": ("add_call", "add_field", "call", "request_id"),
    "vitals.security.callers": ("PUBLIC", "Caller", "caller", "optional_caller"),
    "vitals.security.request_timeout": ("deadline",),
    "vitals.server.serve": ("main", "serve"),
    "vitals.settings": ("CacheSettings", "DatabaseSettings", "Settings", "SettingsRefused", "load"),
    "vitals.units": ("unit",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*_HOME_OF]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'vitals' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
