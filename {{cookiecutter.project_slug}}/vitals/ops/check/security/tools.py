"""Checks by other programs: gitleaks about secrets, zizmor about workflows, pip-audit."""

import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from vitals.ops.check.security.checklist import NotRun, check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.run import files, git, shell
from vitals.ops.run.steps import Refused

BIN = Path(sys.executable).parent
RULES, IGNORED = ".gitleaks.toml", ".gitleaksignore"
STORED = "OWASP ASVS 13.3.1"
IN_FOLDER = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh"]
QUIET = ["--no-banner", "--log-level", "error", "--exit-code", "0", "--redact"]
QUIET += ["--report-format", "json", "--report-path", "-"]
WORKFLOW = re.compile(r"\.github/(workflows/[^/]+|dependabot)\.ya?ml|(.*/)?action\.ya?ml").fullmatch
ZIZMOR = ["--offline", "--no-config", "--no-ignores", "--strict-collection", "--no-exit-codes"]
ZIZMOR += ["--quiet", "--no-progress", "--format", "github", "--persona"]
PERSONAS = {  # and the rules that are looked at in each of their forms; regular: all
    "regular": (),
    "auditor": ("artipacked", "excessive-permissions", "self-hosted-runner"),
}
ANNOTATION = re.compile(r"::\w+ file=(.*),line=(\d+),title=([\w-]+)::(?:.*?:\d+: )?(.*)").fullmatch
# A package with an advisory that is in every database: an answer without it is no answer.
KNOWN_BAD = "jinja2==2.4.1"
AUDIT_SECONDS = 5


@check("SEC-201", "none", "replace it; if it is none, end the line with gitleaks:allow", STORED)
def secrets_in_the_tree(_: Evidence | None = None) -> list[tuple[str, str]]:
    """The repository holds no secret

    Each folder gets a secret of ours: an answer without it is no answer.
    """
    names = [f for f in files.of_the_repository() if (shell.ROOT / f).is_file()]
    own = f"{secrets.token_hex(8)}.env"
    ours = {f"{folder}{own}" for folder in {f[: f.find("/") + 1] for f in names}}
    with tempfile.TemporaryDirectory() as folder:
        for file in names:
            (copy := Path(folder, file)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shell.ROOT / file, copy)
        for file in ours:
            Path(folder, file).write_text(f"KEY_PASSWORD={secrets.token_hex(8)}\n")
        found = _gitleaks(folder, "dir")
    if hidden := ours - {each["File"] for each in found}:
        folders = ", ".join(sorted(file.removesuffix(own) or "./" for file in hidden))
        raise Refused(f"{RULES} hides secrets in {folders}", fix="allow a line, not a folder")
    return [
        (f"{each['File']}:{each['RuleID']}:{each['StartLine']}", each["Description"])
        for each in found
        if each["File"] not in ours
    ]


@check("SEC-202", "none", "replace it: it is known, also without that commit", STORED)
def secrets_in_the_history(_: Evidence | None = None) -> list[tuple[str, str]]:
    """No secret was committed since the last release; HISTORY=all looks at all commits"""
    if (shell.ROOT / IGNORED).exists():
        return [(IGNORED, "hides secrets")]
    if not git.has_commit():
        return []
    if git.git("rev-parse", "--is-shallow-repository") != "false":
        fix = "`git fetch --unshallow --tags`; in a pipeline, fetch all commits"
        raise Refused("the history is shallow", "all commits", fix)
    since = ["describe", "--tags", "--abbrev=0", "--match", "v*"]
    commits = f"{git.git(*since)}..HEAD" if git.succeeds(*since) else "HEAD"
    if os.environ.get("HISTORY") == "all":
        commits = "--all"
    found = _gitleaks(shell.ROOT, "git", "--log-opts", commits)
    return [
        (f"{e['Commit'][:12]}:{e['File']}:{e['RuleID']}:{e['StartLine']}", e["Description"])
        for e in found
    ]


def _gitleaks(at: str | Path, *command: str) -> list[dict[str, Any]]:
    """What gitleaks finds in a folder. Raises Refused when it could not look."""
    with tempfile.TemporaryDirectory() as nothing:  # a file in its place could hide findings
        options = [*QUIET, "--config", shell.ROOT / RULES, "--gitleaks-ignore-path", nothing]
        done = shell.run([*IN_FOLDER, at, BIN / "gitleaks", *command, *options])
    with suppress(ValueError):
        if not done.code:
            return list(json.loads(done.output))
    raise Refused("gitleaks failed", f"a readable repository and {RULES}", output=done.output)


@check("SEC-604", "none", "`zizmor --offline .github` explains it", "GitHub security hardening")
def workflows(_: Evidence | None = None) -> list[tuple[str, str]]:
    """Workflows of GitHub have no weakness that zizmor knows"""
    here = [file for file in files.of_the_repository() if WORKFLOW(file)]
    found = list[tuple[str, str]]()
    for persona, rules in PERSONAS.items() if here else ():
        done = shell.run([BIN / "zizmor", *ZIZMOR, persona, *here])
        lines = [ANNOTATION(line) for line in done.output.splitlines()]
        if done.code or None in lines:
            said = done.output.partition("\n\nStack backtrace")[0]
            raise Refused("zizmor failed", "workflows that are valid", output=said)
        each = [line.groups() for line in lines if line]
        found += [(f"{x[0]}:{x[2]}:{x[1]}", x[3]) for x in each if not rules or x[2] in rules]
    return found


@check("SEC-607", "none", "make upgrade", "OWASP A06:2021")
def advisories(_: Evidence | None = None) -> list[tuple[str, str]]:
    """No advisory is open for a package that is shipped

    Raises NotRun without an answer.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
        lines = (shell.ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n")
        pins = [line.removesuffix(" \\") for line in lines if re.match(r"\S+==", line)]
        pinned.write("\n".join([KNOWN_BAD, *pins]))
        pinned.flush()
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "-f", "json"]
        command = [shell.PYTHON, "-m", "pip_audit", "-r", pinned.name, "-s", "osv"]
        output = shell.run([*command, *options, "--timeout", str(AUDIT_SECONDS)]).output
    if "No module named" in output:
        raise Refused("pip-audit is missing", fix="make setup", output=output)
    start = output.find('{"dependencies"')
    listed: list[dict[str, Any]] = json.loads(output[start:])["dependencies"] if start >= 0 else []
    found = {each["name"]: [v["id"] for v in each.get("vulns", ())] for each in listed}
    if not found.pop(KNOWN_BAD.partition("=")[0], None):
        raise NotRun("no network")
    return [(f"{name} {id_}", "is open") for name, ids in found.items() for id_ in ids]
