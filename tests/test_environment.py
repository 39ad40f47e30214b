"""Without APP_ENVIRONMENT nothing starts, and nothing about a request makes it local."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import baking
from tests.baking import IN_PLACE

ANSWERED = re.compile(r"^APP_ENVIRONMENT=(\w+)$", re.MULTILINE)


def start(folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """The start command of the image, which must end by itself."""
    given = baking.environment(PYTHONPATH=str(IN_PLACE), **settings)
    assert "APP_ENVIRONMENT" not in given.keys() - settings.keys()
    return subprocess.run(
        [sys.executable, "-m", "app"],
        cwd=folder,
        env=given,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"APP_HOST": "127.0.0.1", "APP_PORT": "0"},
        {"APP_ENVIRONMENT": ""},
        {"APP_ENVIRONMENT": "Production"},
        {"APP_AUTH": "off", "APP_LOG_FORMAT": "text", "APP_DOCS": "true"},
    ],
    ids=str,
)
def test_without_a_known_environment_the_service_ends_in_2_and_names_the_setting(
    settings: dict[str, str], tmp_path: Path
) -> None:
    done = start(tmp_path, **settings)

    assert done.returncode == 2
    assert done.stdout == ""
    assert any(line.startswith("APP_ENVIRONMENT: ") for line in done.stderr.splitlines())
    assert done.stderr.splitlines()[-1].startswith("Not started.")
    assert list(tmp_path.iterdir()) == []  # no database file: nothing was opened


@pytest.mark.slow
def test_with_all_other_settings_of_production_the_environment_is_still_missed(
    tmp_path: Path,
) -> None:
    files = [IN_PLACE / "config" / name for name in ("common.env", "production.env")]
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    settings = dict(line.split("=", 1) for line in lines if re.match("APP_", line))
    del settings["APP_ENVIRONMENT"]
    for value in settings.values():
        if value.startswith("secret://"):
            (tmp_path / value.removeprefix("secret://")).write_text(os.urandom(30).hex())

    done = start(tmp_path, **settings | {"APP_SECRETS_DIR": str(tmp_path)})

    assert done.returncode == 2
    assert "APP_ENVIRONMENT: required, one of local, test, staging, production" in done.stderr


def test_the_image_and_the_manifests_set_no_environment_but_that_of_the_configuration() -> None:
    """The Dockerfile none; each file of config/ its own."""
    deployed = [file for file in (IN_PLACE / "deploy").rglob("*") if file.is_file()]
    setting = [file.name for file in deployed if "APP_ENVIRONMENT" in file.read_text("utf-8")]
    found = {
        file.name: ANSWERED.findall(file.read_text("utf-8"))
        for file in (IN_PLACE / "config").glob("*.env")
    }

    assert setting == []
    assert found == {"common.env": [], "staging.env": ["staging"], "production.env": ["production"]}
