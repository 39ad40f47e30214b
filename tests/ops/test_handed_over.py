from pathlib import Path
from types import ModuleType

import pytest
from vitals.ops.check import parity
from vitals.ops.env_files import Configuration
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

ROOT = shell.ROOT


class Place(ModuleType):
    """A kind of place that reads `changed` differently, if its program is there."""

    def __init__(self, program: str, **changed: str) -> None:
        super().__init__("place")
        self.VERSION = [program, "--version"]
        self.changed = changed

    def handed_over(self, root: Path, environment: str) -> dict[str, str]:
        return Configuration(root).values(environment) | self.changed


def compared(place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("vitals.ops.deploy.targets.places", lambda: {"there": place})
    return parity.compared(ROOT)


def test_who_reads_it_as_we_do_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(Place(shell.PYTHON), monkeypatch) == "there reads the same"


def test_who_reads_it_differently_is_refused_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused) as refused:
        compared(Place(shell.PYTHON, APP_PORT='"8000"'), monkeypatch)

    assert "staging: APP_PORT: there reads '\"8000\"'; expected '8000'" in refused.value.output


def test_who_is_not_here_is_said_not_to_have_been_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    said = compared(Place("no-such-program"), monkeypatch)

    assert said == "there was not asked: no `no-such-program --version` here"
