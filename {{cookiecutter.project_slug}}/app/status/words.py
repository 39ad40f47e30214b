"""How are times and numbers said?"""

from datetime import UTC, datetime

MARKS = {"pass": "✔ pass", "warn": "▲ warn", "fail": "✖ fail"}


def moment(at: datetime) -> str:
    """A time of today; of another day with its date."""
    told = f"{at:%H:%M:%S}" if at.date() == datetime.now(UTC).date() else f"{at:%Y-%m-%d %H:%M}"
    return f'<time datetime="{at.isoformat()}">{told} UTC</time>'


def ago(then: datetime, at: datetime) -> str:
    """How long before `at` that was."""
    return f"{span((at - then).total_seconds())} ago"


def span(seconds: float) -> str:
    """A time in its greatest unit."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def ms(value: float | None) -> str:
    """Milliseconds to two digits at least; a dash if there is no value."""
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"
