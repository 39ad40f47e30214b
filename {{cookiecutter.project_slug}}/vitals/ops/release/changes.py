"""What changed, why, who answers for it, and how is it taken back? A record in changes/ says it.

`make change TITLE="…"` writes one to fill in. It is never moved or deleted: the notes of a release
are made from those that came since the last one. Its numbers stand in a measurement beside it:
{"command": …, "rows": [{"metric", "unit", "before", "after", "verdict"}, …]}.
"""

import json
import os
import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Refused

FIELDS = {  # what is expected, and an example
    "change": ("what changed", "Cache the item list for 30 s"),
    "reason": ("why, with a number that shows it", "p95 of GET /items 412 ms at 20 requests/s"),
    "owner": ("who answers for it", "team-orders"),
    "expected": ("what will be better, and by how much", "p95 of GET /items below 120 ms"),
    "rollback": (
        "the command that goes back, and whether it is safe to repeat",
        "make rollback ENV=production; no migration, safe to repeat",
    ),
}
NOT_MEASURED = ("why no number can tell", "only the text of an error changes")
MEASURED = {
    "command": ("the command that measured it", "make compare BASE=v1.2.0"),
    "metric": ("the row of the result that counts", "p95 of GET /items"),
    "result": ("the result, copied from build/measurements", "changes/0042-cache-items.json"),
}
ASSUMPTIONS = ("what must stay true", "the list is read 50 times for each write")
OPTIONAL = {"measured", "not_measured", "assumptions"}
SAYS_NOTHING = """
as above, as discussed, as needed, because, better, bug fix, bug fixes, cleanup, faster, fix,
fixed, fixme, improve, improvements, improve performance, it is faster, make it faster, misc,
n/a, na, no, no idea, no impact, no reason, none, not applicable, not measured, nothing,
performance, refactoring, revert, revert it, revert the change, revert the commit, revert this,
roll back, rollback, same as above, see above, see commit, see pr, see ticket, should be faster,
should work, small change, someone, tbd, test, to do, todo, undo, unknown, update, updates,
various, we will see, wip, works
"""
EMPTY_PHRASES = {" ".join(phrase.split()) for phrase in SAYS_NOTHING.split(",")}
PLACEHOLDER = re.compile(r"\b(?:TODO|TBD|FIXME|XXX)\b|^<.*>$|\?\?\?|\.\.\.$|(?i:lorem ipsum)")


def folder() -> Path:
    return shell.ROOT / "changes"


def read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """A record and what is wrong with it, each fault with the field and what is expected."""
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, [f"{named(path)}: {error}; expected a record as `make change` writes it"]
    faults = _texts(record, FIELDS) + _strangers(record, {*FIELDS, *OPTIONAL})
    if ("measured" in record) == ("not_measured" in record):
        found = "both are there" if "measured" in record else "neither is there"
        faults.append(f"measured, not_measured: {found}; expected one of them")
    elif "measured" in record:
        faults += _measured(record["measured"])
    else:
        faults += _texts(record, {"not_measured": NOT_MEASURED})
    if "assumptions" in record:
        faults += _texts(record, {"assumptions": ASSUMPTIONS})
    return record, [f"{named(path)}: {fault}" for fault in faults]


def measurement(measured: dict[str, str]) -> str:
    """What was measured, in one line; the numbers are those of the result."""
    row = _row(measured)
    numbers = f"{row['before']:g} → {row['after']:g} {row['unit']}".strip()
    verdict = f" ({row['verdict']})" if row.get("verdict") else ""
    return f"{row['metric']} {numbers}{verdict}, by `{measured['command']}`"


def write(title: str) -> Path:
    """Write a record that asks for what only a person knows; return where it lies.

    Raises `Refused` for a title that says nothing or is no line of at most 100 characters.
    """
    title = title.strip()
    if not title.isprintable() or len(title) > 100 or _says_nothing(title):
        expected = "what changed, in one line of at most 100 characters"
        raise Refused(f"TITLE={title!r}", expected, '`make change TITLE="Cache the item list"`')
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "change"
    numbers = [int(found.name[:4]) for found in folder().glob("[0-9][0-9][0-9][0-9]-*.toml")]
    path = folder() / f"{max(numbers, default=0) + 1:04}-{slug}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(_to_fill_in(title, _owner(), path), encoding="utf-8")
    return path


def named(path: Path) -> str:
    return path.relative_to(shell.ROOT).as_posix()


def _texts(table: dict[str, Any], fields: dict[str, tuple[str, str]]) -> list[str]:
    faults = []
    for field, (expected, example) in fields.items():
        value = table.get(field)
        if not isinstance(value, str) or not value.isprintable() or _says_nothing(value):
            found = repr(value) if field in table else "missing"
            faults.append(f"{field}: {found}; expected {expected}, e.g. {example!r}")
    return faults


def _says_nothing(text: str) -> bool:
    words = " ".join(text.casefold().split()).strip(" .…!?-_'\"")
    return not words or words in EMPTY_PHRASES or PLACEHOLDER.search(text) is not None


def _strangers(table: dict[str, Any], known: set[str]) -> list[str]:
    return [f"{field}: unknown; expected {', '.join(sorted(known))}" for field in {*table} - known]


def _measured(measured: object) -> list[str]:
    if not isinstance(measured, dict):
        return [f"measured: {measured!r}; expected a table [measured] with {', '.join(MEASURED)}"]
    faults = _texts(measured, MEASURED) + _strangers(measured, {*MEASURED})
    if not faults:
        try:
            _row(measured)
        except Refused as refusal:
            faults.append(str(refusal))
    return [f"measured.{fault}" for fault in faults]


def _row(measured: dict[str, str]) -> dict[str, Any]:
    """The row of the result that the record names; raises `Refused` with the field at fault."""
    path = shell.ROOT / measured["result"]
    if path.parent != folder() or not path.is_file():
        expected = "a file in changes/, copied from build/measurements"
        raise Refused(f"result: {measured['result']!r} is not there", expected)
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        rows: dict[str, dict[str, Any]] = {row["metric"]: row for row in result["rows"]}
        command = result["command"]
    except (ValueError, KeyError, TypeError) as error:
        found = f"result: {measured['result']!r} is no measurement ({error!r})"
        raise Refused(found, "what the command wrote to build/measurements") from error
    if command != measured["command"]:
        raise Refused(f"command: {measured['command']!r}", f"that of the result, {command!r}")
    row = rows.get(measured["metric"])
    if row is None:
        raise Refused(f"metric: {measured['metric']!r}", f"one of the result: {', '.join(rows)}")
    if not all(isinstance(row.get(side), int | float) for side in ("before", "after")):
        raise Refused(f"metric: {measured['metric']!r} has no numbers", "before and after")
    return row


def _owner() -> str:
    """Who the project belongs to, else who works on it."""
    answers = shell.ROOT / ".vitals.json"
    if answers.exists():
        return str(json.loads(answers.read_text(encoding="utf-8"))["answers"]["owner"])
    return git.git("config", "--default", "", "user.name")


def _to_fill_in(title: str, owner: str, path: Path) -> str:
    known = {"change": title, "owner": owner}
    lines = [
        f"{field} = {json.dumps(known[field], ensure_ascii=False)}"
        if known.get(field)
        else f'{field} = ""  # {expected}, e.g. "{example}"'
        for field, (expected, example) in FIELDS.items()
    ]
    lines.append(f'not_measured = ""  # {NOT_MEASURED[0]}; where one can, write instead:')
    examples = {**{field: example for field, (_, example) in MEASURED.items()}}
    examples["result"] = named(path.with_suffix(".json"))
    lines += ["# [measured]", *(f'# {field} = "{text}"' for field, text in examples.items())]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the record that TITLE names."""
    path = write(os.environ.get("TITLE", ""))
    steps.say(f"{named(path)}: fill it in; `make notes` looks at it")


if __name__ == "__main__":
    steps.exit_with(main)
