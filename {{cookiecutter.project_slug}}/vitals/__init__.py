"""Vitals: response time, errors, cache status and database calls of every request, and health.

    import vitals

    vitals.install(app, settings)

Names are loaded at their first use: what ships the service imports this package without the
framework. With drivers: `vitals.database`, `vitals.cache`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitals.dependency import Check, CheckFailed, Dependency
    from vitals.installation import install
    from vitals.problems import Problem
    from vitals.request_stats import add_call, add_field, request_id
    from vitals.security.callers import PUBLIC, Caller, caller
    from vitals.server.serve import main, serve
    from vitals.settings import CacheSettings, DatabaseSettings, Settings, SettingsRefused, load

_HOMES = {
    "vitals.dependency": ("Check", "CheckFailed", "Dependency"),
    "vitals.installation": ("install",),
    "vitals.problems": ("Problem",),
    "vitals.request_stats": ("add_call", "add_field", "request_id"),
    "vitals.security.callers": ("PUBLIC", "Caller", "caller"),
    "vitals.server.serve": ("main", "serve"),
    "vitals.settings": ("CacheSettings", "DatabaseSettings", "Settings", "SettingsRefused", "load"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "PUBLIC",
    "CacheSettings",
    "Caller",
    "Check",
    "CheckFailed",
    "DatabaseSettings",
    "Dependency",
    "Problem",
    "Settings",
    "SettingsRefused",
    "add_call",
    "add_field",
    "caller",
    "install",
    "load",
    "main",
    "request_id",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'vitals' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
