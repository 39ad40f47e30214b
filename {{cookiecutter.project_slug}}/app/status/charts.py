"""How does a row of numbers become a small picture?"""

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, STEP = 120, 24, 2


def bars(values: Sequence[float], marked: Sequence[int], title: str) -> str:
    """A bar for each value, and a foot in another shape where `marked` is not 0."""
    scale = _scale(values)
    ups = [(at, _y(value / scale)) for at, value in enumerate(values) if value]
    drawn = "".join(f"M{at * STEP} {HEIGHT}V{y}" for at, y in ups)
    feet = "".join(f"M{at * STEP - 1} {HEIGHT + 1}l2 4h-4z" for at, n in enumerate(marked) if n)
    return _svg(title, f'<path class="bar" d="{drawn}"/><path class="foot" d="{feet}"/>')


def line(values: Sequence[float | None], title: str) -> str:
    """A line through the values, with gaps where there is none."""
    scale = _scale([value for value in values if value is not None])
    drawn, pen = "", "M"
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        y = _y(value / scale)
        # a point with a gap on both sides is seen as a dash
        drawn += f"M{at * STEP - 1} {y}H{at * STEP}" if pen == "M" else f"L{at * STEP} {y}"
        pen = "L"
    return _svg(title, f'<path class="line" d="{drawn}"/>')


def _y(share: float) -> str:
    return f"{HEIGHT - share * (HEIGHT - 1):.0f}"


def _scale(values: Sequence[float]) -> float:
    return max(values, default=0) or 1


def _svg(title: str, inside: str) -> str:
    box = f"-2 0 {WIDTH + 2} {HEIGHT + 6}"
    axis = f'<path class="axis" d="M-1 {HEIGHT + 0.5}H{WIDTH - 1}"/>'
    return f'<svg role="img" viewBox="{box}"><title>{escape(title)}</title>{axis}{inside}</svg>'
