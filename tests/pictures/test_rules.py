"""Do the rules say what they should, as Prometheus' own tools judge it?"""

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
    """What a tool said; it must have been content."""
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
