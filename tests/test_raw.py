"""Is the folder inside the template a real project, as it lies there?"""

import ast
import json
import subprocess
import time
import tomllib
import urllib.request

import pytest
import yaml
from baking import IN_PLACE, environment, free_port, make, project_files

PYTHON = IN_PLACE / ".venv" / "bin" / "python"
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


@pytest.mark.parametrize("target", ["lint", "types", "unit"])
def test_the_project_passes_its_own_steps_as_it_lies(target):
    done = make(IN_PLACE, target)

    assert done.returncode == 0, done.stdout


def test_the_service_starts_and_is_healthy_as_it_lies(tmp_path):
    port = free_port()
    given = environment(APP_PORT=str(port), APP_DATABASE_URL=f"sqlite:///{tmp_path / 'items.db'}")
    subprocess.run([PYTHON, "-m", "ops.migration"], cwd=IN_PLACE, env=given, check=True)

    with subprocess.Popen([PYTHON, "-m", "app"], cwd=IN_PLACE, env=given) as service:
        try:
            health = health_at(port, service, within_seconds=20)
        finally:
            service.terminate()

    assert health["status"] == "pass", health
    assert service.returncode == 0


def health_at(port: int, service: subprocess.Popen[bytes], within_seconds: float) -> dict:
    deadline = time.monotonic() + within_seconds
    while True:
        assert service.poll() is None, "the service ended before it answered"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            assert time.monotonic() < deadline, f"no answer within {within_seconds} s"
            time.sleep(0.05)  # between two looks
