"""Picture of a comparison (SVG): the change of each row, with its interval."""

import html
from collections.abc import Sequence

from vitals.ops.measure import difference
from vitals.ops.measure.difference import Row

WIDTH, LEFT, RIGHT, ROW, TOP = 1040, 400, 260, 24, 64
CENTRE = (LEFT + WIDTH - RIGHT) / 2
HALF = (WIDTH - RIGHT - LEFT) / 2
EDGE = 50  # percent; a larger change is drawn there
GREY, GREEN, RED, INK = "#8c959f", "#1a7f37", "#cf222e", "#1f2328"
LEGEND = "change in percent, with its interval: green is better, red worse, grey no difference seen"


def picture(title: str, rows: Sequence[Row]) -> str:
    """Draw the rows around a line of no change; what differs is coloured."""
    height = TOP + ROW * len(rows) + 16
    drawn = "".join(_row(TOP + at * ROW, row) for at, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{html.escape(title)}" font-family="system-ui, sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        f"{_text(16, 24, f'{title}: {difference.summary(rows)}', 'start')}"
        f"{_text(16, 44, LEGEND, 'start')}"
        f'<path d="M{CENTRE} {TOP - 8}V{height - 8}" stroke="{GREY}" stroke-dasharray="3 3"/>'
        f"{_text(LEFT, TOP - 4, f'-{EDGE} %', 'middle')}"
        f"{_text(WIDTH - RIGHT, TOP - 4, f'+{EDGE} %', 'middle')}{drawn}</svg>\n"
    )


def _row(top: float, row: Row) -> str:
    colour = (GREEN if row.better else RED) if row.seen else GREY
    low, at, high = (_x(row, change) for change in (row.low, row.after - row.before, row.high))
    centre = top + ROW / 2
    figures = f"{row.before:.4g} → {row.after:.4g} {row.unit}".strip()
    if row.seen:
        figures += f"   {row.verdict.partition(',')[0]}"
    return (
        f"{_text(LEFT - 14, centre + 4, row.metric, 'end')}"
        f'<path d="M{low:.1f} {centre}H{high:.1f}" stroke="{colour}" stroke-width="3"/>'
        f'<circle cx="{at:.1f}" cy="{centre}" r="5" fill="{colour}"/>'
        f"{_text(WIDTH - RIGHT + 14, centre + 4, figures, 'start')}"
    )


def _x(row: Row, change: float) -> float:
    percent = 100 * change / (row.before or abs(change) or 1)  # new: at the edge
    return CENTRE + HALF * max(-1.0, min(1.0, percent / EDGE))


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{INK}">{html.escape(text)}</text>'
