"""What stands in for a secret of the team is long enough to sign with: RFC 7518, 3.2."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import baking
from vitals.ops.check.security.observe import dummy_secrets
from vitals.ops.deploy.targets import compose_staging
from vitals.ops.deploy.targets.process import Processes
from vitals.ops.project.token import Issuer
from vitals.ops.release.releases import Build, Release

KEY_BYTES = 32  # of HMAC with SHA-256
SECRET = "ops_token"


def test_of_the_security_checks(tmp_path: Path) -> None:
    dummy_secrets(tmp_path)

    assert len((tmp_path / SECRET).read_bytes()) >= KEY_BYTES


def test_of_a_rehearsal_with_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitals.ops.deploy.targets.process._caddy", lambda: Path("true"))
    release = Release(Build("v1.2.0", "c0ffee"), baking.IN_PLACE, "staging")
    with ExitStack() as stack:
        Processes(tmp_path, {}, {}, stack).open(release)

        assert len((tmp_path / "secrets" / SECRET).read_bytes()) >= KEY_BYTES


def test_of_a_rehearsal_with_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = json.dumps({"x-throw-away": {SECRET: "RANDOM"}})
    monkeypatch.setattr("vitals.ops.run.shell.check_output", lambda *_: resolved)

    (tmp_path / "issuer").mkdir()
    with compose_staging.throwaway_staging(tmp_path, Issuer()):
        assert len((tmp_path / "secrets" / SECRET).read_bytes()) >= KEY_BYTES
