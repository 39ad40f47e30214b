"""Rules and alerts, tested with Prometheus' own tools."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.baking import IN_PLACE

BROUGHT = IN_PLACE / "deploy" / "prometheus"
RULES = sorted((BROUGHT / "rules").glob("*.yaml"))
TESTS = sorted(Path(__file__).with_name("rules").glob("*.yaml"))


def judged(folder: Path, *command: object) -> str:
    """Run a tool that must succeed; return its output."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_every_file_is_well_formed(tmp_path):
    assert "SUCCESS" in judged(tmp_path, "promtool", "check", "rules", "--lint=all", *RULES)
    judged(tmp_path, "promtool", "check", "config", "--syntax-only", BROUGHT / "prometheus.yaml")
    judged(tmp_path, "amtool", "check-config", BROUGHT / "alertmanager.yaml")


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_the_alerts_fire_and_stay_quiet_as_described(file, tmp_path):
    for rules in RULES:
        shutil.copy(rules, tmp_path / f"{rules.stem}_rules.yaml")
    shutil.copy(file, tmp_path)

    judged(tmp_path, "promtool", "test", "rules", file.name)


def test_every_alert_has_a_firing_and_a_quiet_test():
    wanted = {
        rule["alert"]
        for file in RULES
        for rule in yaml.safe_load(file.read_text())["groups"][0]["rules"]
        if "alert" in rule
    }
    cases = [
        case
        for file in TESTS
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]

    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == wanted
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == wanted


def test_every_burn_rate_of_every_objective_has_fired():
    test = yaml.safe_load(Path(__file__).with_name("rules").joinpath("objectives.yaml").read_text())
    fired = {
        (case["alertname"], alert["exp_labels"]["burn"])
        for each in test["tests"]
        for case in each["alert_rule_test"]
        for alert in case.get("exp_alerts", [])
    }

    names = ("ErrorBudgetBurn", "LatencyBudgetBurn")
    assert fired == {(name, burn) for name in names for burn in ("14.4", "6", "1")}


def test_kubernetes_gets_the_same_rules_and_the_same_dashboard():
    """By the commands of the README, without the cluster."""
    text = (IN_PLACE / "deploy/kubernetes/README.md").read_text(encoding="utf-8")
    commands = re.findall(r"    (kubectl create configmap .*) \| kubectl", text)
    given: dict[str, str] = {}
    for command in commands:
        words = shlex.split(command.replace("{{ cookiecutter.project_slug }}", "orders-api"))
        given |= yaml.safe_load(judged(IN_PLACE, *words))["data"]

    brought = [*RULES, *(IN_PLACE / "deploy" / "grafana" / "dashboards").iterdir()]
    assert given == {file.name: file.read_text(encoding="utf-8") for file in brought}


def test_a_cluster_scrapes_the_job_that_the_rules_expect():
    """Read only: Debian's Prometheus is built without the search for pods."""
    text = (IN_PLACE / "deploy/kubernetes/README.md").read_text(encoding="utf-8")
    found = re.search(r"^    - job_name: service\n(?:     .*\n)+", text, re.MULTILINE)
    assert found is not None
    (job,) = yaml.safe_load(found[0])
    deployment = (IN_PLACE / "deploy/kubernetes/base/deployment.yaml").read_text(encoding="utf-8")

    filters = [each["regex"] for each in job["relabel_configs"] if each.get("action") == "keep"]
    assert filters == ["service", "http"]
    assert "part: service" in deployment
    assert "name: http" in deployment
