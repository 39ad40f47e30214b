"""Which tables does the page have, and what stands in a row?

The body of each carries `data-live` and an id: page.js puts a fresh one in its place.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape

from app.status import charts
from app.status.notes import Failure, Repeats
from app.status.snapshot import CheckRow, RouteRow
from app.status.words import MARKS, ago, moment, ms

CHECKS = ("check", "answer", "counts", "since", "last good", "took, ms:number", "reason")
ROUTES = (
    "route",
    "requests/s:number",
    "server errors:number",
    "p50, ms:number",
    "p95, ms:number",
    "database calls:number",
    "cache hits:number",
    "requests/s over time, ▲ errors",
    "p95 over time",
)
REPEATS = ("times:number", "route", "statement", "last", "request id")
FAILURES = ("when", "request", "status", "error", "request id")
CHANGES = ("when", "check", "answer", "reason")


def table(name: str, title: str, columns: Iterable[str], rows: Iterable[str]) -> str:
    """A table under its title; it scrolls by itself where the screen is narrow."""
    heads = [column.split(":") for column in columns]
    cells = "".join(
        f'<th scope="col" class="{h[-1] if h[1:] else "text"}">{h[0]}</th>' for h in heads
    )
    body = "".join(rows) or f'<tr><td colspan="{len(heads)}">none</td></tr>'
    return (
        f'<h2 id="{name}-title">{title}</h2>\n'
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{name}-title">'
        f"<table><thead><tr>{cells}</tr></thead>"
        f'<tbody id="{name}" data-live>{body}</tbody></table></div>'
    )


def checks(checks: Iterable[CheckRow], at: datetime) -> Iterator[str]:
    """The checks as they are at `at`."""
    for check in checks:
        yield _row(
            _head(check.name),
            f'<td class="mark {check.status}">{MARKS[check.status]}</td>',
            f"<td>{'required' if check.required else 'optional'}</td>",
            f"<td>{moment(check.since)} {ago(check.since, at)}</td>",
            f"<td>{moment(check.last_ok) if check.last_ok else 'never'}</td>",
            _number(f"{check.ms:.1f}"),
            _text(check.reason),
        )


def routes(routes: Iterable[RouteRow]) -> Iterator[str]:
    """The routes with their vitals and charts."""
    for row in routes:
        slowest = ms(max((each for each in row.chart_p95_ms if each), default=None))
        rate = f"requests a second, {max(row.chart_per_second):g} at most"
        yield _row(
            _head(row.route),
            _number(f"{row.per_second:.2f}"),
            _number(f"{row.error_share:.1%}", bad=row.error_share > 0),
            _number(ms(row.p50_ms)),
            _number(ms(row.p95_ms)),
            _number(f"{row.db_calls:.1f}"),
            _number("-" if row.hit_share is None else f"{row.hit_share:.0%}"),
            f"<td>{charts.bars(row.chart_per_second, row.chart_errors, rate)}</td>",
            f"<td>{charts.line(row.chart_p95_ms, f'p95, {slowest} ms at most')}</td>",
        )


def repeats(repeats: Iterable[Repeats]) -> Iterator[str]:
    """The statements that ran again and again."""
    for each in repeats:
        yield _row(
            _number(f"{each.times}", bad=True),
            _head(each.route),
            _text(each.statement, "code"),
            f"<td>{moment(each.last)}</td>",
            _text(each.request_id, "code"),
        )


def failures(failures: Iterable[Failure]) -> Iterator[str]:
    """The last requests that were answered with a server error."""
    for each in failures:
        yield _row(
            f"<td>{moment(each.at)}</td>",
            _head(f"{each.method} {each.route}"),
            f"<td>{each.status}</td>",
            _text(each.error or "refused"),
            _text(each.request_id, "code"),
        )


def changes(changes: Iterable[CheckRow]) -> Iterator[str]:
    """When which check began to fail or to pass."""
    for each in changes:
        yield _row(
            f"<td>{moment(each.since)}</td>",
            _head(each.name),
            f'<td class="mark {each.status}">{MARKS[each.status]}</td>',
            _text(each.reason),
        )


def settings(settings: Iterable[tuple[str, str]]) -> str:
    """Names and values; they stay as they are while the process runs."""
    rows = "".join(_row(_head(name), _text(value)) for name, value in settings)
    return f"<table><tbody>{rows}</tbody></table>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _head(text: str) -> str:
    return f'<th scope="row">{escape(text)}</th>'


def _number(text: str, *, bad: bool = False) -> str:
    return f'<td class="number{" bad" if bad else ""}">{text}</td>'


def _text(text: str, inside: str = "span") -> str:
    return f'<td class="text"><{inside}>{escape(text)}</{inside}></td>'
