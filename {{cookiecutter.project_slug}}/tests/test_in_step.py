"""Is what stands in two places the same in both: in code, documents, `make`, locks and alerts?"""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.main import create_app
from tests.client import client_of
from vitals.ops import slo
from vitals.ops.check.security.__main__ import CHECKS
from vitals.ops.project import lock
from vitals.ops.run import shell
from vitals.settings import Settings
from vitals.status.diagnosis import PHASES, REMEDIES

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, re.MULTILINE)
RUNBOOK = (ROOT / "RUNBOOK.md").read_text(encoding="utf-8")
HEADINGS = set(re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE))
RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yaml"))
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_make_alone_explains_every_target() -> None:
    printed = shell.must(["make", "--no-print-directory"])

    assert re.findall(r"^  make ([a-z-]+) +\w", printed, re.MULTILINE) == TARGETS


def test_no_file_can_stand_in_for_a_target() -> None:
    phony = " ".join(re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)).split()

    assert sorted(phony) == sorted(TARGETS)


def test_every_module_that_make_calls_is_there() -> None:
    called = set(re.findall(r"\bops\.(\w+)", MAKEFILE))
    there = {file.stem for file in (ROOT / "ops").glob("*.py")}
    there |= {file.parent.name for file in (ROOT / "ops").glob("*/__main__.py")}

    assert called - there == set()


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.name)
def test_every_alert_links_to_its_own_heading(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", text)
    links = re.findall(r"runbook_url: ['\"]RUNBOOK\.md#(\w+)['\"]", text)

    assert links == [name.lower() for name in alerts]
    assert set(alerts) <= HEADINGS


async def test_every_check_has_a_heading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with client_of(create_app(Settings(environment="test"))) as client:
        checks = (await client.get("/health")).json()["checks"]

    assert set(checks) | set(PHASES) <= HEADINGS


def test_everything_that_the_status_page_points_to_has_a_heading() -> None:
    assert set(REMEDIES) <= HEADINGS


def test_every_target_that_the_runbook_names_exists() -> None:
    assert set(re.findall(r"`make ([a-z-]+)", RUNBOOK)) - set(TARGETS) == set()


def test_every_panel_that_the_runbook_names_is_on_the_dashboard() -> None:
    dashboard = (ROOT / "deploy/grafana/dashboards/service-vitals.json").read_text()
    named = re.findall(r"Panels?: ([^.]*)\.", RUNBOOK)

    panels = {panel for each in named for panel in re.findall(r'"([^"]+)"', each)}

    assert panels
    assert {panel for panel in panels if f'"title": "{panel}"' not in dashboard} == set()


def test_the_alerts_say_what_is_promised() -> None:
    kept = (ROOT / slo.RULES).read_text()

    assert kept == slo.rules(slo.read(ROOT)), "way out: python -m vitals.ops.slo"


def test_every_security_check_stands_in_the_document_as_it_is() -> None:
    told = re.findall(r"^\| (SEC-\d+) \| (.+) \| (.+) \|$", SECURITY, re.MULTILINE)

    assert told == [(check.id, check.title, check.reference) for check in CHECKS]


def test_every_setting_and_file_that_the_document_names_exists() -> None:
    settings = set(re.findall(r"`APP_(\w+)`", SECURITY))
    files = re.findall(r"`([\w/-]+\.(?:py|toml))`", SECURITY)

    assert settings <= {name.upper() for name in Settings.model_fields}
    assert [
        n for n in files if not any((ROOT / at / n).exists() for at in ("", "vitals/security"))
    ] == []


@pytest.mark.parametrize("kept", lock.LOCKS, ids=lambda kept: kept.file)
def test_every_lock_fits_what_pyproject_asks_for(kept: lock.Lock) -> None:
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / kept.file).read_text(), re.MULTILINE)
    versions = {canonicalize_name(name): version for name, version in pins}
    asked = [Requirement(line) for line in lock.requirements(ROOT, kept.groups)]

    unmet = [r for r in asked if versions.get(canonicalize_name(r.name), "") not in r.specifier]

    assert unmet == [], "way out: make lock"
