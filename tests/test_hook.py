"""The hook: a project's locks, the template's address, and what an answer removes."""

import json
import re
import runpy
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

import template_origin
from tests.baking import (
    IN_PLACE,
    ROOT,
    VARIANTS,
    bake,
    environment,
    files_of,
    template,
    user_config,
)

HOOK = runpy.run_path(str(ROOT / "hooks" / "post_gen_project.py"))


def test_every_path_that_the_hook_removes_exists():
    paths = {
        path
        for by_answer in HOOK["REMOVED"].values()
        for removed in by_answer.values()
        for path in removed
    }

    assert [path for path in sorted(paths) if not (IN_PLACE / path).exists()] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_locks_of_the_variant_are_the_projects_locks(variant):
    project = bake(**VARIANTS[variant])
    locks = IN_PLACE / "locks" / variant

    assert sorted(path.name for path in locks.iterdir()) == [
        "requirements-dev.txt",
        "requirements-services.txt",
        "requirements.txt",
    ]
    for lock in locks.iterdir():
        assert (project / lock.name).read_bytes() == lock.read_bytes()


def test_the_template_lints_with_the_ruff_that_projects_lint_with():
    pins = [
        next(line for line in lock.read_text().splitlines() if line.startswith("ruff=="))
        for lock in (ROOT / "requirements.txt", IN_PLACE / "requirements-dev.txt")
    ]

    assert pins[0] == pins[1]


def test_the_folder_in_place_holds_the_locks_of_the_full_variant():
    for lock in (IN_PLACE / "locks" / "full").iterdir():
        assert (IN_PLACE / lock.name).read_bytes() == lock.read_bytes()


def test_a_path_is_never_kept_as_the_templates_address():
    recorded = json.loads(files_of(bake())[".vitals.json"])

    assert (recorded["template"], recorded["version"]) == ("", "")


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ("https://user:secret@host.example/vitals.git", "https://host.example/vitals.git"),
        ("ssh://git:secret@host.example/vitals", "ssh://git@host.example/vitals"),
        ("git@host.example:team/vitals.git", "git@host.example:team/vitals.git"),
        ("gh:team/vitals", "https://github.com/team/vitals.git"),
        ("gl:team/vitals", "https://gitlab.com/team/vitals.git"),
        ("git+https://user:secret@host.example/vitals", "https://host.example/vitals"),
        ("git+ssh://git@host.example/vitals", "ssh://git@host.example/vitals"),
        ("https://host.example/vitals/archive/refs/tags/v1.2.0.zip", ""),
        ("/home/me/vitals.ZIP", ""),
        ("/home/me/vitals", ""),
        ("../vitals", ""),
        ("file:///home/me/vitals", ""),
        ("git+file:///home/me/vitals", ""),
    ],
)
def test_the_templates_address_is_kept_without_credentials(given, recorded):
    assert template_origin.template_url(given) == recorded


def test_the_templates_own_lock_fits_what_it_asks_for():
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    lock = (ROOT / "requirements.txt").read_text()
    pins = dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock, re.MULTILINE))

    for requirement in map(Requirement, required):
        assert requirement.specifier.contains(pins[requirement.name]), requirement
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", lock))
    assert "://" not in lock


def test_a_machine_without_make_is_told_how_to_get_it(tmp_path):
    words = [str(template()), "--no-input", "--config-file", str(user_config())]

    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", *words],
        cwd=tmp_path,
        env=environment(PATH=str(tmp_path)),
        capture_output=True,
        text=True,
        check=True,
    )

    assert "make is missing on this machine; install it first" in done.stdout
