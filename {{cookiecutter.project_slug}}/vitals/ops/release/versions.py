"""Version numbers: a version is a tag such as v1.2.0; LEVEL names the part that moves."""

import re
from collections.abc import Iterable

from vitals.ops.run.steps import Refused

LEVELS = ("patch", "minor", "major")
FIRST = "v0.1.0"
PART = r"(0|[1-9][0-9]*)"


def is_version(tag: str) -> bool:
    return re.fullmatch(rf"v{PART}\.{PART}\.{PART}", tag) is not None


def newest(tags: Iterable[str]) -> str | None:
    """Return the highest version by its numbers; None where there is none."""
    return next(iter(sort(tags)), None)


def sort(tags: Iterable[str]) -> list[str]:
    """Return the versions among these tags, the highest first."""
    return sorted(filter(is_version, tags), key=_numbers, reverse=True)


def following(tag: str | None, level: str) -> str:
    """Return the version that comes after `tag`; the first one is v0.1.0.

    Raises `Refused` for an unknown level, and for a first version of any level but minor.
    """
    if level not in LEVELS:
        found = f"LEVEL={level}" if level else "no LEVEL"
        raise Refused(found, "patch, minor or major", "`make release LEVEL=patch`")
    if tag is None and level != "minor":
        found = f"LEVEL={level} and no release yet"
        raise Refused(found, f"{FIRST} as the first version", "`make release LEVEL=minor`")
    if tag is None:
        return FIRST
    major, minor, patch = _numbers(tag)
    return {
        "major": f"v{major + 1}.0.0",
        "minor": f"v{major}.{minor + 1}.0",
        "patch": f"v{major}.{minor}.{patch + 1}",
    }[level]


def level_of_a_break(tag: str) -> str:
    """Return the smallest level for a change that breaks clients of `tag` (Semantic Versioning)."""
    return "minor" if _numbers(tag)[0] == 0 else "major"


def _numbers(tag: str) -> list[int]:
    return [int(part) for part in tag.removeprefix("v").split(".")]
