"""The folder inside the template is a real project: it runs unrendered."""

import ast
import json
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.baking import FOLDER, IN_PLACE, ask, make, project_files, serving, set_up, template

PARSERS = {
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".yaml": lambda text: list(yaml.safe_load_all(text)),
    ".yml": lambda text: list(yaml.safe_load_all(text)),
    ".json": json.loads,
}


def unparsable(name: str) -> str | None:
    suffix = name[name.rindex(".") :]
    try:
        PARSERS[suffix]((IN_PLACE / name).read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, yaml.YAMLError) as error:
        return f"{name}: {error}"
    return None


def test_every_file_parses_as_it_lies():
    names = [name for name in project_files() if name.endswith(tuple(PARSERS))]

    assert [fault for name in names if (fault := unparsable(name))] == []
    assert len(names) > 20


@pytest.fixture(scope="module")
def in_place(tmp_path_factory) -> Path:
    """The folder as a clone has it, set up; the template itself stays clean."""
    project = tmp_path_factory.mktemp("clone") / FOLDER
    shutil.copytree(template() / FOLDER, project)
    set_up(project)
    return project


@pytest.mark.xdist_group("in place")
@pytest.mark.parametrize("target", ["lint", "types", pytest.param("unit", marks=pytest.mark.slow)])
def test_the_project_passes_its_own_steps_as_it_lies(in_place, target):
    done = make(in_place, target)

    assert done.returncode == 0, done.stdout


@pytest.mark.xdist_group("in place")
def test_the_service_starts_and_is_healthy_as_it_lies(in_place):
    with serving(in_place) as address:
        health = json.loads(ask(f"{address}/health"))

    assert health["status"] == "pass", health
