from pathlib import Path

import pytest

from tests.ops.shipping import ran
from vitals.ops.release import preflight, repository_state
from vitals.ops.run import steps

DEMANDED = "[tool.vitals]\nrehearsal = {}\n"


@pytest.mark.parametrize(
    ("demanded", "otherwise", "said"),
    [
        ('"process"', {"mode": "compose"}, "it ran in mode 'compose'; expected 'process'"),
        ('"compose"', {"mode": "process"}, "it ran in mode 'process'; expected 'compose'"),
        ('"process"', {"ok": False}, "it failed"),
        ('"process"', {"tree": None}, "for different files"),
        ('"process"', {"at": None, "ok": "yes"}, "it failed"),
        ('"fast"', {}, "expected compose or process or none"),
    ],
)
def test_a_rehearsal_that_is_not_the_demanded_one_is_refused(
    ready: Path, demanded: str, otherwise: dict[str, object], said: str
) -> None:
    (ready / "pyproject.toml").write_text(DEMANDED.format(demanded))
    (ready / "deploy").mkdir()
    (ready / "deploy" / "compose.yaml").write_text("")
    ran("rehearsal", "process", otherwise)

    with pytest.raises(steps.Refused, match=said):
        preflight.rehearsal_passed(repository_state.read("minor"))


def test_a_rehearsal_is_demanded_unless_the_project_says_none(ready: Path) -> None:
    (ready / "build" / "rehearsal.json").write_text("{}")

    with pytest.raises(steps.Refused, match="is no record"):
        preflight.rehearsal_passed(repository_state.read("minor"))
    (ready / "pyproject.toml").write_text(DEMANDED.format('"none"'))
    assert preflight.rehearsal_passed(repository_state.read("minor")) == "none is demanded"
