from pathlib import Path
from types import ModuleType

import pytest

from vitals.ops.check import parity
from vitals.ops.env_files import Configuration
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

ROOT = shell.ROOT


class Place(ModuleType):
    """A target that resolves `changed` differently, if its program is installed."""

    def __init__(self, program: str, **changed: str) -> None:
        super().__init__("place")
        self.VERSION = [program, "--version"]
        self.changed = changed

    def resolved_settings(self, root: Path, environment: str) -> dict[str, str]:
        return Configuration(root).values(environment) | self.changed


def compared(place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("vitals.ops.deploy.targets.places", lambda: {"there": place})
    return parity.compare(Configuration(ROOT))


def test_a_target_that_resolves_the_settings_alike_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert compared(Place(shell.PYTHON), monkeypatch) == "there resolves them alike"


def test_a_setting_that_a_target_resolves_differently_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Refused) as refused:
        compared(Place(shell.PYTHON, APP_PORT='"8000"'), monkeypatch)

    assert "staging: APP_PORT: there resolves '\"8000\"'; expected '8000'" in refused.value.output


def test_a_target_that_is_not_installed_is_named_as_not_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = compared(Place("no-such-program"), monkeypatch)

    assert said == "there not compared: no `no-such-program --version` here"
