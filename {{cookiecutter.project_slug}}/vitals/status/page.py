"""How does a snapshot become a page that needs nothing from elsewhere?

What changes lies in elements with `data-live` and an id: page.js puts fresh contents into them.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from vitals.status.diagnosis import Finding
from vitals.status.tables import MARKS, SETTINGS, TABLES, ago, draw, mark, moment

FOLDER = Path(__file__).parent
TEMPLATE, STYLE, SCRIPT = (
    (FOLDER / f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
)
OTHERS_SHOWN = 4
FACTS = {  # a gauge of /metrics -> how the page calls it
    "http_server_active_requests": "requests now",
    "db_client_connections_in_use": "database connections in use",
    "db_client_connections_max": "database connections at most",
    "event_loop_lag_seconds": "event loop lag, s",
    "log_lines_dropped_total": "log lines dropped",
}


def render(now: Mapping[str, Any], nonce: str, path: str) -> str:
    """The whole document. `nonce` lets its own style and script through its content policy."""
    about = [f"{name} {value}" for name, value in now["about"].items() if name != "name"]
    about.append(f"up {ago(now['up_since'])}")
    drawn = [draw(name, title, columns, now[name][:most]) for name, title, columns, most in TABLES]
    drawn.append(draw("settings", "Settings", SETTINGS, now["settings"].items()))
    return Template(TEMPLATE).substitute(
        title=escape(f"{MARKS[now['status']]}: {now['about']['name']}"),
        name=escape(now["about"]["name"]),
        about=escape(" · ".join(about)),
        at=f"{now['at']:%H:%M:%S} UTC",
        path=escape(path),
        nonce=nonce,
        style=STYLE,
        script=SCRIPT,
        verdict=f"{mark(now['status'])} {escape(now['sentence'])}",
        findings=_findings(now["findings"]),
        facts=_facts(now),
        tables="\n".join(drawn),
    )


def _findings(findings: list[Finding]) -> str:
    if not findings:
        return ""
    worst, *others = findings
    told = f"<p>{_since(worst)}</p><p><strong>Do:</strong> {escape(worst.remedy)} "
    told += f"More in RUNBOOK.md, “{escape(worst.runbook)}”.</p>"
    lines = [f"<li>{escape(o.sentence)} {_since(o)}</li>" for o in others[:OTHERS_SHOWN]]
    return told + (f"<ul>{''.join(lines)}</ul>" if lines else "")


def _since(finding: Finding) -> str:
    return f"Since {moment(finding.since)}, {ago(finding.since)} ago: {escape(finding.reason)}"


def _facts(now: Mapping[str, Any]) -> str:
    known = {told: now["gauges"][name] for name, told in FACTS.items() if name in now["gauges"]}
    if now["routes_not_shown"]:
        known["faster routes: in status.json"] = now["routes_not_shown"]
    return "".join(
        f"<div><dt>{told}</dt><dd>{value:.3g}</dd></div>" for told, value in known.items()
    )
