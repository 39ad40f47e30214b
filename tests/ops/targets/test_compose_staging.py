"""The throw-away staging of containers; tests/containers starts a real one."""

import os
from pathlib import Path

import pytest

from vitals.ops.deploy.targets import compose_staging
from vitals.ops.project.token import Issuer


def test_only_the_rehearsals_whose_process_has_ended_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(ended, 0)
    ran: list[str] = []
    is_file = Path.exists

    def docker(command: list[object], *_: object) -> str:
        ran.append(" ".join(map(str, command)))
        names = f"vitals-rehearsal-{os.getppid()} vitals-rehearsal-{ended} vitals-rehearsal-one"
        return names if "ps" in command else "{}"

    monkeypatch.setattr("vitals.ops.run.shell.check_output", docker)
    monkeypatch.setattr(compose_staging, "project_name", lambda: "vitals")
    # As on a Mac, which has no /proc.
    monkeypatch.setattr(Path, "exists", lambda path: is_file(path) and path.parts[1] != "proc")
    (tmp_path / "issuer").mkdir()
    with compose_staging.throwaway_staging(tmp_path, Issuer()):
        removed = [line for line in ran if " down " in line]

    assert len(removed) == 1
    assert f"vitals-rehearsal-{ended} " in removed[0]
