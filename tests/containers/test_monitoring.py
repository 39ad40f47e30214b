"""Prometheus and Alertmanager next to the service, with the project's configuration."""

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import baking

PROJECT = "vitals-monitoring"
OVERLAY = "services: {alertmanager: {image: 'prom/alertmanager:latest'}}\n"  # one that is here


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose token is readable for all, as compose.md requires."""
    folder = baking.generate(tmp_path, database="true", cache="true")
    (tmp_path / "overlay.yaml").write_text(OVERLAY, encoding="utf-8")
    (tmp_path / "ops_token").write_text("token-of-the-operators", encoding="utf-8")
    (tmp_path / "ops_token").chmod(0o644)
    tmp_path.chmod(0o755)
    return folder


@contextlib.contextmanager
def up(project: Path, profile: str) -> Iterator[str]:
    """Start a profile; yield the address of its Prometheus."""
    ports = {"PROMETHEUS_PORT": str(baking.free_port()), "ALERTMANAGER_PORT": "0"}
    given = baking.environment(SECRETS=str(project.parent), **ports)
    files = ["-f", "deploy/compose.yaml", "-f", str(project.parent / "overlay.yaml")]
    compose = ["docker", "compose", "--project-name", PROJECT, *files, "--profile", profile]
    services = ["prometheus", "alertmanager"]
    try:
        subprocess.run(
            [*compose, "up", "--detach", "--no-deps", *services], cwd=project, env=given, check=True
        )
        yield f"http://127.0.0.1:{ports['PROMETHEUS_PORT']}"
    finally:
        subprocess.run([*compose, "logs", "--tail=20", *services], cwd=project, env=given)
        subprocess.run([*compose, "down", "--volumes"], cwd=project, env=given, check=True)


def query(address: str, path: str) -> Any:
    try:
        with urllib.request.urlopen(f"{address}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]
    except OSError:
        return {}  # not there yet


@pytest.mark.usefixtures("engine")
def test_one_profile_brings_up_prometheus_with_the_rules_and_an_alertmanager(project: Path):
    with up(project, "monitoring") as prometheus:
        baking.wait_until(lambda: query(prometheus, "rules").get("groups"), 60)
        groups = {group["name"] for group in query(prometheus, "rules")["groups"]}
        baking.wait_until(lambda: query(prometheus, "alertmanagers")["activeAlertmanagers"], 60)
        configuration = query(prometheus, "status/config")["yaml"]

    assert groups == {"budgets", "objectives", "service", "database", "cache"}
    assert "job_name: service" in configuration
    assert "app-green" in configuration
