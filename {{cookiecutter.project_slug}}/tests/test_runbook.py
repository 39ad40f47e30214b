"""Does RUNBOOK.md have a heading for all that can be wrong, and is all that it names there?"""

import re
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from app.status.verdict import PHASES, REMEDIES
from tests.client import client_of

ROOT = Path(__file__).parent.parent
RUNBOOK = (ROOT / "RUNBOOK.md").read_text(encoding="utf-8")
HEADINGS = set(re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE))
RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yaml"))


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


def test_every_target_that_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)", RUNBOOK))

    assert named - set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)) == set()


def test_every_panel_that_it_names_is_on_the_dashboard() -> None:
    dashboard = (ROOT / "deploy/grafana/dashboards/service-vitals.json").read_text()
    named = re.findall(r"Panels?: ([^.]*)\.", RUNBOOK)

    panels = {panel for each in named for panel in re.findall(r'"([^"]+)"', each)}

    assert panels
    assert {panel for panel in panels if f'"title": "{panel}"' not in dashboard} == set()
