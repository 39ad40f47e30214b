"""The command of a deployment key, as sshd runs it: with the client's words in the environment."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.baking import wait_until
from tests.ops.shipping import PERSON
from vitals.ops.run import shell

DIGEST = f"sha256:{'0a' * 32}"
MAKE = """#!/bin/sh
at=$(git log -1 --format=%s)
echo "$@ $ENV ${VERSION:--} ${DIGEST:--} ${WATCH:--} ${REASON:--} ${LIFT:--} ${SUPERSEDE:--} $at"
"""
HOSTILE = [
    "",
    "deploy",
    "sh",
    "deploy v1.2.0",
    "deploy main " + DIGEST,
    "deploy v1.2 " + DIGEST,
    "deploy v01.2.0 " + DIGEST,
    "deploy v1.2.0 sha256:0a",
    f"deploy v1.2.0 {DIGEST.upper()}",
    f"deploy v1.2.0 {DIGEST}; id",
    f"deploy v1.2.0 {DIGEST}\nid",
    f"deploy v1.2.0 {DIGEST} watch=121",
    f"deploy v1.2.0 {DIGEST} watch=-1",
    f"deploy v1.2.0 {DIGEST} watch=10 ENV=production",
    f"deploy v1.2.0 {DIGEST} supersede=0",
    f"deploy v1.2.0 {DIGEST} supersede=1 watch=5",
    "rollback supersede=1",
    f"deploy  v1.2.0 {DIGEST}",
    f" deploy v1.2.0 {DIGEST}",
    f"deploy v1.2.0 {DIGEST}\n",
    "live; id",
    "live ENV=production",
    "rollback reason=$(id)",
    "rollback reason=`id`",
    "rollback reason=",
    "rollback reason=" + "x" * 201,
    "rollback reason=a\nb",
    "lift v1.2.0 v1.3.0",
    "lift --help",
    "deploy v\u0661.2.0 " + DIGEST,
    "scp -t /etc",
]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with a clone of a project whose v1.2.0 is released; its `make` says what it gets."""
    origin = tmp_path / "origin"
    (origin / "deploy").mkdir(parents=True)
    shutil.copy(shell.ROOT / "deploy" / "deploy-gate", origin / "deploy")
    (tmp_path / ".gitconfig").write_text(PERSON)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / ".gitconfig"))
    git(origin, "init", "--quiet", "--initial-branch=main")
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "--message=released")
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    git(origin, "tag", "--annotate", "--message=v1.2.0", "v1.2.0")
    git(origin, "commit", "--quiet", "--allow-empty", "--message=not released")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


def gate(host: Path, request: str, *arguments: str, make: str = MAKE) -> subprocess.Popen[bytes]:
    (host / "bin").mkdir(exist_ok=True)
    (host / "bin" / "make").write_text(make)
    (host / "bin" / "make").chmod(0o755)
    source = (host / "clone" / "deploy" / "deploy-gate").read_text()
    run = f"import os; os.defpath = {f'{host}/bin:{os.defpath}'!r}\n"
    run += f"__file__ = {f'{host}/clone/deploy/deploy-gate'!r}\n"
    return subprocess.Popen(
        [shell.PYTHON, "-c", run + source, *(arguments or ["staging"])],
        env={"SSH_ORIGINAL_COMMAND": request, "HOME": str(host)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def said(host: Path, request: str, *arguments: str) -> tuple[int, str]:
    with gate(host, request, *arguments) as running:
        output, _ = running.communicate(timeout=60)
    return running.returncode, output.decode()


@pytest.mark.parametrize("request_", HOSTILE)
def test_what_is_no_request_runs_nothing(request_: str, host: Path) -> None:
    code, output = said(host, request_)

    assert code == 1
    assert output.startswith("refused: deploy vN.N.N")


@pytest.mark.parametrize("arguments", [["test"], ["staging", "production"], ["--help"]])
def test_a_key_has_one_environment(arguments: list[str], host: Path) -> None:
    assert said(host, "live", *arguments)[0] == 1


@pytest.mark.parametrize(
    ("request_", "given"),
    [
        (f"deploy v1.2.0 {DIGEST}", f"deploy staging v1.2.0 {DIGEST} - - - - released"),
        (f"deploy v1.2.0 {DIGEST} watch=0", f"deploy staging v1.2.0 {DIGEST} 0 - - - released"),
        (f"deploy v1.2.0 {DIGEST} watch=120", f"deploy staging v1.2.0 {DIGEST} 120 - - - released"),
        ("live", "live staging - - - - - - released"),
        ("rollback", "rollback staging - - - - - - released"),
        ("rollback reason=bad prices", "rollback staging - - - bad prices - - released"),
        ("lift v1.2.0", "live staging - - - - v1.2.0 - released"),
        (f"deploy v1.2.0 {DIGEST} supersede=1", f"deploy staging v1.2.0 {DIGEST} - - - 1 released"),
        (
            f"deploy v1.2.0 {DIGEST} watch=5 supersede=1",
            f"deploy staging v1.2.0 {DIGEST} 5 - - 1 released",
        ),
    ],
)
def test_a_request_runs_one_target_with_its_values_and_the_released_code(
    request_: str, given: str, host: Path
) -> None:
    code, output = said(host, request_)

    assert (code, output) == (0, f"YES=1 {given}\n")


def test_a_version_that_was_not_released_is_not_deployed(host: Path) -> None:
    code, output = said(host, f"deploy v9.9.9 {DIGEST}")

    assert code != 0
    assert "staging" not in output


def test_a_deployment_goes_on_when_its_connection_is_lost(host: Path) -> None:
    go, done = host / "go", host / "done"
    make = f"#!/bin/sh\necho begun\nwhile [ ! -e {go} ]; do sleep 0.05; done\n"
    make += f"echo on\necho ended > {done}\n"
    running = gate(host, "live", make=make)
    assert running.stdout
    assert running.stdout.readline() == b"begun\n"

    running.stdout.close()
    running.send_signal(signal.SIGHUP)
    go.touch()

    wait_until(done.exists, 30)
    assert running.wait(30) == 0
