"""A machine with python3, make and git only; docs/first-ten-minutes.md says what else was tried."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import baking

MACHINE = ("awk", "bash", "cat", "env", "git", "make", "mkdir", "rm", "sed", "sh", "sleep", "uname")
WHO = ("-c", "user.name=A reader", "-c", "user.email=reader@example.com")


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with the minimum, without a locale."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in MACHINE:
        (programs / name).symlink_to(str(shutil.which(name)))
    (programs / "python3").symlink_to(os.path.realpath(sys.executable))
    certificates = {
        name: os.environ[name] for name in ("PIP_CERT", "SSL_CERT_FILE") & os.environ.keys()
    }
    return {"PATH": str(programs), "HOME": str(tmp_path), "LC_ALL": "C", **certificates}


def said(bare: dict[str, str], folder: Path, *command: str, code: int = 0) -> str:
    """Run a program on the bare machine; return its output."""
    ran = subprocess.run(
        command,
        cwd=folder,
        env=bare,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
        umask=0o077,
        check=False,
    )
    assert ran.returncode == code, ran.stdout
    return ran.stdout


@pytest.fixture
def without_venv(tmp_path: Path) -> str:
    """A Python as Debian has it without python3-venv."""
    python = tmp_path / "debian-python3"
    python.write_text('#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec python3 "$@"\n')
    python.chmod(0o700)
    return str(python)


def test_a_missing_venv_module_is_named_and_nothing_is_half_done(bare, tmp_path, without_venv):
    template = tmp_path / "vitals"
    shutil.copytree(baking.template(), template)

    refusal = said(bare, template, "make", "demo", f"PYTHON={without_venv}", code=2)

    assert refusal.startswith(f"{without_venv} has no venv module: install python3-venv, then")
    assert not (template / ".venv").exists()


def test_an_index_that_does_not_answer_is_reported_with_the_fix(bare, tmp_path):
    project = baking.generate(tmp_path)
    nobody = {"PIP_INDEX_URL": f"http://127.0.0.1:{baking.free_port()}/", "PIP_RETRIES": "1"}

    refusal = said({**bare, **nobody}, project, "make", "lint", code=2)

    assert "Connection refused" in refusal
    assert "set-up could not finish. Fix: repair what it says above, then run the same" in refusal


def test_ctrl_c_in_set_up_ends_it_without_a_traceback(bare, tmp_path):
    template = tmp_path / "vitals"
    shutil.copytree(baking.template(), template)
    log = tmp_path / "log"

    with (
        log.open("wb") as lines,
        subprocess.Popen(
            ["make", "demo"],
            cwd=template,
            env=bare,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
        ) as demo,
    ):
        baking.wait_until((template / ".venv" / "bin" / "python3").exists, 30)
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does, while pip is unpacked

    assert demo.returncode
    said = log.read_text().splitlines()
    assert said[0] == "setting up .venv from requirements-generate.txt …"
    assert [line for line in said[1:] if not line.startswith("make")] == []


@pytest.mark.slow
def test_a_bare_machine_is_enough_in_any_folder_and_after_a_move(bare, tmp_path):
    folder = tmp_path / "Mein Projekt ü"
    shutil.copytree(baking.template(), folder / "vitals")

    said(bare, folder / "vitals", "make", ".venv/demo")
    generate = (".venv/bin/python", "-m", "cookiecutter", ".", "--no-input", "-o", str(folder))
    said(bare, folder / "vitals", *generate)
    project = folder / "orders-api"
    said(bare, project, "git", "init", "-q", "-b", "main")
    assert "git hooks: installed" in said(bare, project, "make", "lint")

    moved = project.rename(tmp_path / "moved ö")
    said(bare, moved, "make", "config")
    said(bare, moved, "git", "add", "--all")
    said(bare, moved, "git", *WHO, "commit", "-q", "-m", "Start from the Vitals template")
