"""Findings of other programs: zizmor about workflows, pip-audit about packages."""

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from vitals.ops.check.security.checklist import NotRun
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

ZIZMOR = Path(sys.executable).parent / "zizmor"
# A package with an advisory that is in every database: an answer without it is no answer.
KNOWN_BAD = "jinja2==2.4.1"
AUDIT_SECONDS = 5


def workflows() -> tuple[str, ...]:
    """The findings of zizmor; none where there are no workflows.

    Raises Refused when its output can't be read.
    """
    if not (shell.ROOT / ".github").is_dir():
        return ()
    options = ["--offline", "--no-progress", "--quiet", "--format", "json"]
    output = shell.run([ZIZMOR, *options, ".github"]).output
    try:
        return tuple(map(_line, json.loads(output[output.index("[") :])))
    except ValueError as error:
        raise Refused("zizmor failed", "its findings as JSON", output=output) from error


def advisories() -> tuple[str, ...]:
    """The open advisories of packages that are shipped. Raises NotRun without an answer."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
        lines = (shell.ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n")
        pins = [line.removesuffix(" \\") for line in lines if re.match(r"\S+==", line)]
        pinned.write("\n".join([KNOWN_BAD, *pins]))
        pinned.flush()
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "-f", "json"]
        command = [shell.PYTHON, "-m", "pip_audit", "-r", pinned.name, "-s", "osv"]
        output = shell.run([*command, *options, "--timeout", str(AUDIT_SECONDS)]).output
    start = output.find('{"dependencies"')
    listed: list[dict[str, Any]] = json.loads(output[start:])["dependencies"] if start >= 0 else []
    found = {each["name"]: [v["id"] for v in each.get("vulns", ())] for each in listed}
    if not found.pop(KNOWN_BAD.partition("=")[0], None):
        raise NotRun("no network")
    return tuple(f"{name}: {', '.join(ids)}" for name, ids in found.items() if ids)


def _line(finding: dict[str, Any]) -> str:
    """What was found and in which file; its place in the JSON depends on the kind of finding."""
    file = re.search(r'[^"]+\.ya?ml', json.dumps(finding))
    return f"{file[0] if file else '.github'}: {finding.get('ident')}: {finding.get('desc')}"
