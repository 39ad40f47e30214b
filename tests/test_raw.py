"""Is the folder inside the template a real project, as it lies there?"""

import ast
import json
import shutil
import subprocess
import tomllib
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.baking import (
    FOLDER,
    IN_PLACE,
    environment,
    free_port,
    make,
    project_files,
    template,
    wait_until,
)

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
    """The folder as a clone has it, set up: nothing of ours is left in the template."""
    project = tmp_path_factory.mktemp("clone") / FOLDER
    shutil.copytree(template() / FOLDER, project)
    done = make(project, "setup")
    assert done.returncode == 0, done.stdout
    return project


@pytest.mark.xdist_group("in place")
@pytest.mark.parametrize("target", ["lint", "types", "unit"])
def test_the_project_passes_its_own_steps_as_it_lies(in_place, target):
    done = make(in_place, target)

    assert done.returncode == 0, done.stdout


@pytest.mark.xdist_group("in place")
def test_the_service_starts_and_is_healthy_as_it_lies(in_place):
    port = free_port()
    python = in_place / ".venv" / "bin" / "python"
    given = environment(APP_PORT=str(port), APP_DRAIN_SECONDS="0")
    subprocess.run([python, "-m", "ops.migration"], cwd=in_place, env=given, check=True)

    with subprocess.Popen([python, "-m", "app"], cwd=in_place, env=given) as service:
        try:
            wait_until(lambda: service.poll() is not None or health_at(port), within_seconds=20)
            health = health_at(port)
        finally:
            service.terminate()

    assert health["status"] == "pass", health
    assert service.returncode == 0


def health_at(port: int) -> dict | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None
