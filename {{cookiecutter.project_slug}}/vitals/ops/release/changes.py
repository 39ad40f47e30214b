"""Change records: `make change TITLE="…"` writes one in changes/, and `read` checks one.

A record is never moved or deleted: the notes of a release are made from those that were added since
the last one. Its numbers are those of a comparison beside it, as `make compare` writes it.
"""

import json
import os
import re
import tomllib
import unicodedata
from pathlib import Path

from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

FOLDER = "changes"
REQUIRED_FIELDS = ("change", "reason", "owner", "expected", "rollback")
MEASURED = ("measured.command", "measured.metric", "measured.result")
FIELDS = {  # what is expected, and an example
    "change": ("what changed", "Cache the item list for 30 s"),
    "reason": ("why, with a number that shows it", "p95 of GET /items 412 ms at 20 requests/s"),
    "owner": ("who owns it", "team-orders"),
    "expected": ("what will be better, and by how much", "p95 of GET /items below 120 ms"),
    "rollback": (
        "the command that goes back, and whether it is safe to repeat",
        "make rollback ENV=production; no migration, safe to repeat",
    ),
    "not_measured": ("[measured], or why no number can tell", "only an error's text changes"),
    "breaks": ("what clients must do, of a release LEVEL=major", "clients must send a currency"),
    "assumptions": ("what must stay true", "the list is read 50 times for each write"),
    "measured.command": ("the command that measured it", "make compare BASE=v1.2.0"),
    "measured.metric": ("the row of the result that counts", "p95 of GET /items"),
    "measured.result": ("a copy of the result in changes/", "changes/0042-cache-items.json"),
}
EMPTY_PHRASES = """
as above, as discussed, because, better, bug fix, cleanup, faster, fix, fixed, improve, misc, n/a,
na, no, none, not applicable, not measured, nothing, performance, refactoring, revert, revert it,
revert the change, revert the commit, roll back, rollback, same as above, see above, see commit,
see pr, see ticket, should work, small change, test, undo, unknown, update, various, wip, works
"""
SAYS_NOTHING = {"", *(" ".join(phrase.split()) for phrase in EMPTY_PHRASES.split(","))}
PLACEHOLDER = re.compile(r"(?i:\b(?:todo|tbd|fixme|lorem ipsum)\b)|\bXXX\b|^<.*>$|\?\?\?|\.\.\.$")


def read(path: Path) -> tuple[dict[str, str], list[str]]:
    """Read a record and its faults; [measured] becomes `measured.command` and so on."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, [f"{named(path)}: {error}; expected a record as `make change` writes it"]
    measured = table.pop("measured", {})
    measured = measured if isinstance(measured, dict) else {"": measured}
    record = table | {f"measured.{name}": value for name, value in measured.items()}
    needed = [*REQUIRED_FIELDS, *(MEASURED if measured else ("not_measured",))]
    names = dict.fromkeys([*needed, *record])
    faults = [fault for name in names if (fault := _fault(name, record.get(name)))]
    if measured and "not_measured" in record:
        faults.append("measured, not_measured: both are there; expected one of them")
    elif measured and not faults:
        try:
            measurement(record)
        except Refused as refusal:
            faults.append(str(refusal))
    return record, [f"{named(path)}: {fault}" for fault in faults]


def measurement(record: dict[str, str]) -> str:
    """Say in one line what was measured. Raises `Refused` when the result says something else."""
    command, metric, result = (record[name] for name in MEASURED)
    path = shell.ROOT / result
    if path.parent != shell.ROOT / FOLDER or not path.is_file():
        raise Refused(f"measured.result: {result!r} is not there", f"a file in {FOLDER}/")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = {row["metric"]: _figures(row) for row in found["rows"]}
        measured_by = found["command"]
    except (ValueError, KeyError, TypeError) as error:
        refused = f"measured.result: {result!r} is no comparison ({error!r})"
        raise Refused(refused, "what `make compare` wrote to build/measurements") from error
    if measured_by != command:
        raise Refused(f"measured.command: {command!r}", f"that of the result, {measured_by!r}")
    if metric not in rows:
        raise Refused(f"measured.metric: {metric!r}", f"one of the result: {', '.join(rows)}")
    return f"{metric} {rows[metric]}, by `{command}`"


def write(title: str) -> Path:
    """Write a record to fill in; return its path.

    Raises `Refused` for a title that says nothing or has more than 100 characters.
    """
    title = title.strip()
    if not title.isprintable() or len(title) > 100 or _says_nothing(title):
        expected = "what changed, in one line of at most 100 characters"
        raise Refused(f"TITLE={title!r}", expected, '`make change TITLE="Cache the item list"`')
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "change"
    folder = shell.ROOT / FOLDER
    numbers = [int(found.name[:4]) for found in folder.glob("[0-9][0-9][0-9][0-9]-*.toml")]
    path = folder / f"{max(numbers, default=0) + 1:04}-{slug}.toml"
    folder.mkdir(exist_ok=True)
    path.write_text(_to_fill_in(title, path), encoding="utf-8")
    return path


def named(path: Path) -> str:
    return path.relative_to(shell.ROOT).as_posix()


def _fault(name: str, value: object) -> str:
    if name not in FIELDS:
        return f"{name}: unknown; expected {', '.join(FIELDS)}"
    if isinstance(value, str) and value.isprintable() and not _says_nothing(value):
        return ""
    expected, example = FIELDS[name]
    found = "missing" if value is None else repr(value)
    return f"{name}: {found}; expected {expected}, e.g. {example!r}"


def _says_nothing(text: str) -> bool:
    words = " ".join(text.casefold().split()).strip(" .…!?-_'\"")
    return words in SAYS_NOTHING or PLACEHOLDER.search(text) is not None


def _figures(row: dict[str, object]) -> str:
    figures = f"{row['before']:g} → {row['after']:g} {row['unit']}".strip()
    return f"{figures} ({row['verdict']})" if row.get("verdict") else figures


def _owner() -> str:
    answers = shell.ROOT / ".vitals.json"
    return json.loads(answers.read_bytes())["answers"]["owner"] if answers.exists() else ""


def _to_fill_in(title: str, path: Path) -> str:
    known = {"change": title, "owner": _owner()}
    lines = []
    for name in (*REQUIRED_FIELDS, "not_measured"):
        expected, example = FIELDS[name]
        text = json.dumps(known.get(name, ""), ensure_ascii=False)
        hint = "" if known.get(name) else f'  # {expected}, e.g. "{example}"'
        lines.append(f"{name} = {text}{hint}")
    lines += [f'# breaks = "{FIELDS["breaks"][1]}"  # only if an old client notices the change']
    examples = {name: FIELDS[name][1] for name in MEASURED}
    examples["measured.result"] = named(path.with_suffix(".json"))
    lines += ["# [measured]  # instead of not_measured"]
    lines += [f'# {name.removeprefix("measured.")} = "{text}"' for name, text in examples.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    path = write(os.environ.get("TITLE", ""))
    steps.say(f"{named(path)}: fill it in; `make notes` checks it")


if __name__ == "__main__":
    steps.exit_with(main)
