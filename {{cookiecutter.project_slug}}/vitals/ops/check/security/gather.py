"""The evidence that the checks look at: the settings, the files, and what is looked up once."""

import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from vitals.ops.check import config
from vitals.ops.check.security.observe import Observed, dummy_secrets, running_service
from vitals.ops.env_files import ENVIRONMENTS, Configuration
from vitals.ops.run import files, project_file, shell
from vitals.ops.run.steps import Refused
from vitals.settings import Settings, SettingsRefused, load

T = TypeVar("T")


class Evidence:
    """What the checks look at. A look-up is done once; each check that asks gets what it raised."""

    def __init__(self) -> None:
        self._pool, self._lock = ThreadPoolExecutor(), Lock()
        self._found: dict[Callable[[], Any], Future[Any]] = {}

    def once(self, look: Callable[[], T]) -> T:
        """What a function returns, which is called once for all checks."""
        with self._lock:
            if look not in self._found:
                self._found[look] = self._pool.submit(look)
        result: T = self._found[look].result()
        return result

    @property
    def service(self) -> Observed:
        return self.once(running_service)

    @property
    def settings(self) -> Mapping[str, Settings]:
        return self.once(settings)

    @property
    def files(self) -> tuple[str, ...]:
        return self.once(files.of_the_repository)

    def text(self, file: str) -> str:
        """A file of the repository; empty if it is not there."""
        path = shell.ROOT / file
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def settings() -> dict[str, Settings]:
    """The settings of each environment, with dummy secrets. Raises Refused if one is refused."""
    found = {}
    for name in ENVIRONMENTS:
        with tempfile.TemporaryDirectory() as folder:
            values = Configuration(shell.ROOT).values(name) | dummy_secrets(Path(folder))[0]
            try:
                settings_type = project_file.load_settings_type()
                found[name] = load(settings_type, values | config.FROM_THE_IMAGE)
            except SettingsRefused as error:
                what, faults = f"{name}'s settings are refused", "\n".join(error.faults)
                raise Refused(what, fix="see `make config`", output=faults) from error
    return found
