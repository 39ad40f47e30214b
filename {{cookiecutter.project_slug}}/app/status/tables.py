"""Which tables does the page have, and what stands in a row?

A column is a title, one of KINDS, and what it shows of a row: text, which is escaped, or Html.
The body of a table has an id and `data-live`: page.js puts a fresh one in its place.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, NamedTuple

from app.status import charts
from app.status.charts import Html
from app.status.snapshot import Snapshot

MARKS = {"pass": "✔ pass", "warn": "▲ warn", "fail": "✖ fail"}
KINDS = {
    "head": '<th scope="row">{}</th>',
    "plain": "<td>{}</td>",
    "number": '<td class="number">{}</td>',
    "text": '<td class="text">{}</td>',
}
Column = tuple[str, str, Callable[[Any], str]]


class Table(NamedTuple):
    """A table of the page; `rows` takes what it shows from a snapshot."""

    name: str
    title: str
    rows: Callable[[Snapshot], Iterable[object]]
    columns: Sequence[Column]


def mark(status: str) -> Html:
    return Html(f'<span class="mark {status}">{MARKS[status]}</span>')


def moment(at: datetime | None) -> Html:
    """A time of today; of another day with its date."""
    if at is None:
        return Html("never")
    told = f"{at:%H:%M:%S}" if at.date() == datetime.now(UTC).date() else f"{at:%Y-%m-%d %H:%M}"
    return Html(f'<time datetime="{at.isoformat()}">{told} UTC</time>')


def ago(then: datetime) -> str:
    """How long ago that was, in its greatest unit."""
    seconds = (datetime.now(UTC) - then).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def ms(value: float | None) -> str:
    """Milliseconds to two digits at least; a dash if there is no value."""
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def bad(text: str) -> Html:
    return Html(f'<span class="bad">{text}</span>')


def code(text: str) -> Html:
    return Html(f"<code>{escape(text)}</code>")


CHECKS: Sequence[Column] = (
    ("check", "head", lambda check: check.name),
    ("answer", "plain", lambda check: mark(check.status)),
    ("counts", "plain", lambda check: "required" if check.required else "optional"),
    ("since", "plain", lambda check: Html(f"{moment(check.since)} {ago(check.since)} ago")),
    ("last good", "plain", lambda check: moment(check.last_ok)),
    ("took, ms", "number", lambda check: f"{check.duration_seconds * 1000:.1f}"),
    ("reason", "text", lambda check: check.reason),
)
ROUTES: Sequence[Column] = (
    ("route", "head", lambda row: row.route),
    ("requests/s", "number", lambda row: f"{row.per_second:.2f}"),
    (
        "server errors",
        "number",
        lambda row: bad(f"{row.error_share:.1%}") if row.error_share else "0.0%",
    ),
    ("p50, ms", "number", lambda row: ms(row.p50_ms)),
    ("p95, ms", "number", lambda row: ms(row.p95_ms)),
    ("database calls", "number", lambda row: f"{row.db_calls:.1f}"),
    ("cache hits", "number", lambda row: "-" if row.hit_share is None else f"{row.hit_share:.0%}"),
    (
        "requests/s over time, ▲ errors",
        "plain",
        lambda row: charts.bars(row.chart_per_second, row.chart_errors),
    ),
    ("p95 over time", "plain", lambda row: charts.line(row.chart_p95_ms)),
)
REPEATS: Sequence[Column] = (
    ("times", "number", lambda each: bad(each.times)),
    ("route", "head", lambda each: each.route),
    ("statement", "text", lambda each: code(each.statement)),
    ("last", "plain", lambda each: moment(each.last)),
    ("request id", "text", lambda each: code(each.request_id)),
)
FAILURES: Sequence[Column] = (
    ("when", "plain", lambda each: moment(each.at)),
    ("request", "head", lambda each: f"{each.method} {each.route}"),
    ("status", "plain", lambda each: f"{each.status}"),
    ("error", "text", lambda each: each.error or "refused"),
    ("request id", "text", lambda each: code(each.request_id)),
)
CHANGES: Sequence[Column] = (
    ("when", "plain", lambda each: moment(each.since)),
    ("check", "head", lambda each: each.name),
    ("answer", "plain", lambda each: mark(each.status)),
    ("reason", "text", lambda each: each.reason),
)
SETTINGS: Sequence[Column] = (
    ("setting", "head", lambda pair: pair[0]),
    ("value", "text", lambda pair: pair[1]),
)
TABLES = (
    Table("checks", "Checks", lambda now: now.checks, CHECKS),
    Table(
        "routes", "Routes in the last 15 minutes, the slowest first", lambda now: now.routes, ROUTES
    ),
    Table(
        "repeats",
        "Statements that one request ran many times",
        lambda now: now.repeats[:5],
        REPEATS,
    ),
    Table("failures", "Last server errors", lambda now: now.failures[:10], FAILURES),
    Table("changes", "What changed", lambda now: now.changes[:12], CHANGES),
    Table("settings", "Settings", lambda now: now.settings.items(), SETTINGS),
)


def draw(table: Table, now: Snapshot) -> str:
    """A table under its title; it scrolls by itself where the screen is narrow."""
    heads = "".join(
        f'<th scope="col" class="{kind}">{title}</th>' for title, kind, _ in table.columns
    )
    body = "".join(_row(table.columns, row) for row in table.rows(now))
    body = body or f'<tr><td colspan="{len(table.columns)}">none</td></tr>'
    return (
        f'<h2 id="{table.name}-title">{table.title}</h2>\n'
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{table.name}-title">'
        f"<table><thead><tr>{heads}</tr></thead>"
        f'<tbody id="{table.name}" data-live>{body}</tbody></table></div>'
    )


def _row(columns: Sequence[Column], row: object) -> str:
    cells = ""
    for _, kind, show in columns:
        shown = show(row)
        inside = shown if isinstance(shown, Html) else escape(shown)
        cells += KINDS[kind].format(inside)
    return f"<tr>{cells}</tr>"
