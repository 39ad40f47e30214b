"""Deployments from a CI; tests/test_ci_files.py runs the CI files that call them."""

from pathlib import Path

import pytest

from vitals.ops.deploy import remote
from vitals.ops.run.steps import Refused

DIGEST = f"sha256:{'0a' * 32}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", tmp_path)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "compose.yaml").touch()
    (tmp_path / "deploy" / "known_hosts").write_text("# none yet\nhost ssh-ed25519 AAAA\n")
    given = {"ENV": "staging", "VERSION": "v1.2.0", "DIGEST": DIGEST, "KEY": "k", "HOST": "ci@host"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.mark.usefixtures("project")
def test_the_host_is_known_by_the_key_in_the_repository_and_gets_one_request() -> None:
    *options, host, request = remote.over_ssh(Path("key"))

    assert (host, request) == ("ci@host", f"deploy v1.2.0 {DIGEST}")
    assert "StrictHostKeyChecking=yes" in options
    assert [str(each) for each in options if "known_hosts" in str(each)]


@pytest.mark.usefixtures("project")
def test_what_is_said_of_watches_is_part_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCH", "5")
    monkeypatch.setenv("SUPERSEDE", "1")

    assert remote.over_ssh(Path("key"))[-1] == f"deploy v1.2.0 {DIGEST} watch=5 supersede=1"


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("host", ["", "host", "-oProxyCommand=id@host", "ci@host -p 1", "ci@;id"])
def test_what_is_no_host_is_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", host)

    with pytest.raises(Refused, match="user@host"):
        remote.over_ssh(Path("key"))


def test_a_host_whose_key_is_not_pinned_is_refused(project: Path) -> None:
    (project / "deploy" / "known_hosts").write_text("# none yet\n\n")

    with pytest.raises(Refused, match="known_hosts is empty"):
        remote.over_ssh(Path("key"))


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", ["ENV", "VERSION", "DIGEST", "KEY"])
def test_what_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(Refused, match=f"no {name} in the environment"):
        remote.main()


def test_the_key_is_readable_for_its_user_only_and_not_in_the_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "deploy" / "compose.yaml").unlink()
    make = project / "make"
    make.write_text('#!/bin/sh\nstat -c %a "$KUBECONFIG"; cat "$KUBECONFIG"; echo "-$KEY-"\n')
    make.chmod(0o755)
    monkeypatch.setenv("PATH", f"{project}:/usr/bin:/bin")

    assert remote.main() == 0

    assert capfd.readouterr().out == "600\nk\n--\n"
