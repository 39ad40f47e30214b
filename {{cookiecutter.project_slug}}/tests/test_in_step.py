"""Files that repeat each other agree: Makefile, documents, alerts and locks."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.main import create_app
from app.settings import Settings
from vitals import testing
from vitals.ops import slo
from vitals.ops.check.security.__main__ import CHECKS
from vitals.ops.project import lock
from vitals.ops.run import shell
from vitals.status.diagnosis import PHASES, REMEDIES

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
RUNBOOK = (ROOT / "RUNBOOK.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, re.MULTILINE)
HEADINGS = set(re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE))
RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yaml"))
DASHBOARD = ROOT / "deploy/grafana/dashboards/service-vitals.json"


def test_make_help_explains_every_target() -> None:
    printed = shell.check_output(["make", "--no-print-directory", "help", "ALL=1"])

    assert re.findall(r"^  make ([a-z-]+) +\w", printed, re.MULTILINE) == TARGETS


def test_no_file_can_take_the_place_of_a_target() -> None:
    phony = " ".join(re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)", MAKEFILE, re.MULTILINE))

    assert sorted(phony.replace("\\\n", " ").split()) == sorted(TARGETS)


def test_every_module_that_make_calls_exists() -> None:
    called = set(re.findall(r"\b(?:vitals|app)\.[\w.]+", MAKEFILE))

    assert [name for name in sorted(called) if find_spec(name) is None] == []


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.name)
def test_every_alert_links_to_its_own_heading_in_the_runbook(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", text)
    links = re.findall(r"runbook_url: ['\"]RUNBOOK\.md#(\w+)['\"]", text)

    assert links == [name.lower() for name in alerts]
    assert set(alerts) <= HEADINGS


async def test_every_check_has_a_heading_in_the_runbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a database in a file is made there
    async with testing.client(create_app(Settings(environment="test"))) as client:
        checks = (await client.get("/health")).json()["checks"]

    assert checks.keys() | {*PHASES} <= HEADINGS


def test_everything_that_the_status_page_refers_to_has_a_heading_in_the_runbook() -> None:
    assert REMEDIES.keys() <= HEADINGS


def test_every_target_that_the_runbook_names_exists() -> None:
    assert set(re.findall(r"`make ([a-z-]+)", RUNBOOK)) <= set(TARGETS)


def test_every_panel_that_the_runbook_names_is_on_the_dashboard() -> None:
    titles = set(re.findall(r'"title": "([^"]+)"', DASHBOARD.read_text(encoding="utf-8")))
    named = " ".join(re.findall(r"Panels?: ([^.]*)\.", RUNBOOK))
    panels = set(re.findall(r'"([^"]+)"', named))

    assert panels
    assert panels <= titles


def test_the_alerts_are_those_of_the_objectives() -> None:
    file = ROOT / slo.RULES
    written = file.read_text(encoding="utf-8") if file.exists() else ""

    assert written == slo.rules(slo.read(ROOT)), "Fix: .venv/bin/python -m vitals.ops.slo"


def test_every_security_check_is_in_the_document_as_it_is() -> None:
    listed = re.findall(r"^\| (SEC-\d+) \| (.+) \| (.+) \|$", SECURITY, re.MULTILINE)

    assert listed == [(check.id, check.title, check.reference) for check in CHECKS]


def test_every_setting_and_file_that_the_security_document_names_exists() -> None:
    settings = set(re.findall(r"`APP_(\w+)`", SECURITY))
    files = re.findall(r"`([\w/-]+\.(?:py|toml))`", SECURITY)

    assert settings <= {name.upper() for name in Settings.model_fields}
    assert [name for name in files if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("each", lock.LOCKS, ids=lambda each: each.file)
def test_every_lock_has_the_versions_that_pyproject_asks_for(each: lock.Lock) -> None:
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / each.file).read_text(), re.MULTILINE)
    versions = {canonicalize_name(name): version for name, version in pins}
    wanted = [Requirement(line) for line in lock.requirements(ROOT, each.groups)]

    unmet = [r for r in wanted if versions.get(canonicalize_name(r.name), "") not in r.specifier]

    assert unmet == [], "Fix: make lock"
