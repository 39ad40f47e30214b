"""Which tables does the page have, and what stands in a row?

A column is a title, one of KINDS, and what it shows of a row: text, which is escaped, or Html.
The body of a table has an id and `data-live`: page.js puts a fresh one in its place.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from vitals.status import charts
from vitals.status.charts import Html

MARKS = {"pass": "✔ pass", "warn": "▲ warn", "fail": "✖ fail"}
KINDS = {
    "head": '<th scope="row">{}</th>',
    "plain": "<td>{}</td>",
    "number": '<td class="number">{}</td>',
    "text": '<td class="text">{}</td>',
}
Column = tuple[str, str, Callable[[Any], str]]


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


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def bad(value: object) -> Html:
    return Html(f'<span class="bad">{value}</span>')


def bad_share(value: float) -> Html | str:
    return bad(f"{value:.1%}") if value else "0.0%"


def code(text: str) -> Html:
    return Html(f"<code>{escape(text)}</code>")


CHECKS = (
    ("check", "head", lambda check: check.name),
    ("answer", "plain", lambda check: mark(check.status)),
    ("counts", "plain", lambda check: "required" if check.required else "optional"),
    ("since", "plain", lambda check: Html(f"{moment(check.since)} {ago(check.since)} ago")),
    ("last good", "plain", lambda check: moment(check.last_ok)),
    ("took, ms", "number", lambda check: f"{check.duration_seconds * 1000:.1f}"),
    ("reason", "text", lambda check: check.reason),
)
ROUTES = (
    ("route", "head", lambda row: row["route"]),
    ("requests/s", "number", lambda row: f"{row['per_second']:.2f}"),
    ("server errors", "number", lambda row: bad_share(row["error_share"])),
    ("p50, ms", "number", lambda row: ms(row["p50_ms"])),
    ("p95, ms", "number", lambda row: ms(row["p95_ms"])),
    ("database calls", "number", lambda row: f"{row['db_calls']:.1f}"),
    ("cache hits", "number", lambda row: share(row["hit_share"])),
    ("requests/s over time, ▲ errors", "plain", lambda row: charts.bars(row)),
    ("p95 over time", "plain", lambda row: charts.line(row)),
)
REPEATS = (
    ("times", "number", lambda each: bad(each.times)),
    ("route", "head", lambda each: each.route),
    ("statement", "text", lambda each: code(each.statement)),
    ("last", "plain", lambda each: moment(each.last)),
    ("request id", "text", lambda each: code(each.request_id)),
)
FAILURES = (
    ("when", "plain", lambda each: moment(each.at)),
    ("request", "head", lambda each: f"{each.method} {each.route}"),
    ("status", "plain", lambda each: f"{each.status}"),
    ("error", "text", lambda each: each.error or "refused"),
    ("request id", "text", lambda each: code(each.request_id)),
)
CHANGES = (
    ("when", "plain", lambda each: moment(each.since)),
    ("check", "head", lambda each: each.name),
    ("answer", "plain", lambda each: mark(each.status)),
    ("reason", "text", lambda each: each.reason),
)
SETTINGS = (
    ("setting", "head", lambda pair: pair[0]),
    ("value", "text", lambda pair: pair[1]),
)
TABLES = (  # what it shows of a snapshot, its title, its columns, how many rows at most
    ("checks", "Checks", CHECKS, None),
    ("routes", "Routes in the last 15 minutes, the slowest first", ROUTES, None),
    ("repeats", "Statements that one request ran many times", REPEATS, 5),
    ("failures", "Last server errors", FAILURES, 10),
    ("changes", "What changed", CHANGES, 12),
)


def draw(name: str, title: str, columns: Sequence[Column], rows: Iterable[Any]) -> str:
    """A table under its title; it scrolls by itself where the screen is narrow."""
    heads = "".join(f'<th scope="col" class="{kind}">{head}</th>' for head, kind, _ in columns)
    body = "".join(_row(columns, row) for row in rows)
    body = body or f'<tr><td colspan="{len(columns)}">none</td></tr>'
    return (
        f'<h2 id="{name}-title">{title}</h2>\n'
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{name}-title">'
        f"<table><thead><tr>{heads}</tr></thead>"
        f'<tbody id="{name}" data-live>{body}</tbody></table></div>'
    )


def _row(columns: Sequence[Column], row: object) -> str:
    cells = ""
    for _, kind, show in columns:
        shown = show(row)
        inside = shown if isinstance(shown, Html) else escape(shown)
        cells += KINDS[kind].format(inside)
    return f"<tr>{cells}</tr>"
