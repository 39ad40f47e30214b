"""How does a row of numbers become a small picture?"""

from collections.abc import Mapping
from typing import Any

WIDTH, HEIGHT, STEP = 120, 24, 2


class Html(str):
    """Markup; any other text is escaped before it is shown."""

    __slots__ = ()


def bars(row: Mapping[str, Any]) -> Html:
    """A route's requests, and a foot in another shape where one ended in an error."""
    values, errors = row["chart_per_second"], row["chart_errors"]
    most = max(values)
    ups = [(at, _y(value / most)) for at, value in enumerate(values) if value]
    drawn = "".join(f"M{at * STEP} {HEIGHT}V{y}" for at, y in ups)
    feet = "".join(f"M{at * STEP - 1} {HEIGHT + 1}l2 4h-4z" for at, n in enumerate(errors) if n)
    title = f"requests a second, {most:g} at most"
    return _svg(title, f'<path class="bar" d="{drawn}"/><path class="foot" d="{feet}"/>')


def line(row: Mapping[str, Any]) -> Html:
    """A route's p95, with gaps where nothing was asked."""
    values = row["chart_p95_ms"]
    most, drawn, pen = max(value or 0 for value in values), "", "M"
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        y = _y(value / most)
        # a point with a gap on both sides is seen as a dash
        drawn += f"M{at * STEP - 1} {y}H{at * STEP}" if pen == "M" else f"L{at * STEP} {y}"
        pen = "L"
    return _svg(f"p95, {most:.0f} ms at most", f'<path class="line" d="{drawn}"/>')


def _y(share: float) -> str:
    return f"{HEIGHT - share * (HEIGHT - 1):.0f}"


def _svg(title: str, inside: str) -> Html:
    box = f"-2 0 {WIDTH + 2} {HEIGHT + 6}"
    axis = f'<path class="axis" d="M-1 {HEIGHT + 0.5}H{WIDTH - 1}"/>'
    return Html(f'<svg role="img" viewBox="{box}"><title>{title}</title>{axis}{inside}</svg>')
