"""How does a snapshot become a page that needs nothing from elsewhere?

What changes lies in elements with `data-live` and an id: page.js puts fresh contents into them.
"""

from html import escape
from pathlib import Path
from string import Template

from app.status import tables
from app.status.snapshot import Snapshot
from app.status.tables import table
from app.status.verdict import Finding
from app.status.words import MARKS, ago, moment, span

FOLDER = Path(__file__).parent
TEMPLATE, STYLE, SCRIPT = (
    (FOLDER / f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
)
OTHERS_SHOWN, CHANGES_SHOWN, FAILURES_SHOWN, REPEATS_SHOWN = 4, 12, 10, 5
FACTS = {  # a gauge of /metrics -> how the page calls it
    "http_server_active_requests": "requests now",
    "db_client_connections_in_use": "database connections in use",
    "db_client_connections_max": "database connections at most",
    "event_loop_lag_seconds": "event loop lag, s",
    "log_lines_dropped_total": "log lines dropped",
}


def render(now: Snapshot, nonce: str, path: str) -> str:
    """The whole document. `nonce` lets its own style and script through its content policy."""
    about = [f"{name} {value}" for name, value in now.about.items() if name != "name"]
    about.append(f"up {span((now.at - now.up_since).total_seconds())}")
    return Template(TEMPLATE).substitute(
        title=escape(f"{MARKS[now.status]}: {now.about['name']}"),
        name=escape(now.about["name"]),
        about=escape(" · ".join(about)),
        at=f"{now.at:%H:%M:%S} UTC",
        path=escape(path),
        nonce=nonce,
        style=STYLE,
        script=SCRIPT,
        main=_main(now),
    )


def _main(now: Snapshot) -> str:
    left = f"<p>{now.routes_not_shown} faster routes: in status.json.</p>"
    repeats = tables.repeats(now.repeats[:REPEATS_SHOWN])
    failures = tables.failures(now.failures[:FAILURES_SHOWN])
    changes = tables.changes(now.changes[:CHANGES_SHOWN])
    parts = [
        _verdict(now),
        table("checks", "Checks", tables.CHECKS, tables.checks(now.checks, now.at)),
        f'<dl class="facts" id="facts" data-live>{_facts(now)}</dl>',
        table(
            "routes",
            "Routes in the last 15 minutes, the slowest first",
            tables.ROUTES,
            tables.routes(now.routes),
        ),
        f'<div id="left" data-live>{left if now.routes_not_shown else ""}</div>',
        table("repeats", "Statements that one request ran many times", tables.REPEATS, repeats),
        table("failures", "Last server errors", tables.FAILURES, failures),
        table("changes", "What changed", tables.CHANGES, changes),
        f"<details><summary>Settings</summary>{tables.settings(now.settings.items())}</details>",
    ]
    return "<main>\n" + "\n".join(parts) + "\n</main>"


def _verdict(now: Snapshot) -> str:
    mark = f'<span class="mark {now.status}">{MARKS[now.status]}</span>'
    return (
        '<section class="verdict" aria-labelledby="sentence">'
        f'<div role="status"><h2 id="sentence" data-live>{mark} {escape(now.sentence)}</h2></div>'
        f'<div id="findings" data-live>{_findings(now)}</div></section>'
    )


def _findings(now: Snapshot) -> str:
    if not now.findings:
        return ""
    worst, *others = now.findings
    told = f"<p>{_since(worst, now)}</p><p><strong>Do:</strong> {escape(worst.remedy)} "
    told += f"More in RUNBOOK.md, “{escape(worst.runbook)}”.</p>"
    lines = [f"<li>{escape(o.sentence)} {_since(o, now)}</li>" for o in others[:OTHERS_SHOWN]]
    return told + (f"<ul>{''.join(lines)}</ul>" if lines else "")


def _since(finding: Finding, now: Snapshot) -> str:
    when = f"Since {moment(finding.since)}, {ago(finding.since, now.at)}"
    return f"{when}: {escape(finding.reason)}"


def _facts(now: Snapshot) -> str:
    known = [(told, now.gauges[name]) for name, told in FACTS.items() if name in now.gauges]
    return "".join(f"<div><dt>{told}</dt><dd>{value:.3g}</dd></div>" for told, value in known)
