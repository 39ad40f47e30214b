"""Records in build/: whether the check and the rehearsal passed, and for which tree."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from vitals.ops.run import shell
from vitals.ops.run.steps import Refused, Result


def write(
    name: str, tree: str | None, ok: bool, mode: str, results: Sequence[Result], **more: object
) -> None:
    """Write build/<name>.json; `more` is stored beside the steps."""
    names = ("name", "ok", "seconds", "detail", "unchanged")
    done = [{field: getattr(result, field) for field in names} for result in results]
    record: dict[str, object] = {"tree": tree, "ok": ok, "mode": mode, "steps": done, "not_run": []}
    record |= {**more, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    file = shell.ROOT / "build" / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(record, indent=2) + "\n")


def read(name: str, tree: str | None, fix: str) -> dict[str, Any]:
    """Return build/<name>.json. Raises `Refused` unless it passed for this tree."""
    file = f"build/{name}.json"
    try:
        record: dict[str, Any] = json.loads((shell.ROOT / file).read_text(encoding="utf-8"))
        of_this_tree, passed = record["tree"] == tree, record["ok"] is True
        record["mode"], record["at"]
    except FileNotFoundError:
        raise Refused(f"no {file}", "one for these files", fix) from None
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{file} is no record", fix=fix) from error
    if not of_this_tree or not passed:
        raise Refused("it failed" if of_this_tree else "the record is for different files", fix=fix)
    return record
