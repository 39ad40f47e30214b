"""How is the evidence gathered? The service and the tools run at the same time."""

import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vitals.ops.check import config
from vitals.ops.check.security import containers, secret_scan
from vitals.ops.check.security.evidence import Evidence
from vitals.ops.check.security.observe import observe, stand_ins
from vitals.ops.check.security.secrets import WEAK
from vitals.ops.env_files import ENVIRONMENTS, Configuration
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused
from vitals.settings import Settings, SettingsRefused, load

TOOLS = Path(sys.executable).parent
MADE = re.compile(r"\.git|\.venv|build|__pycache__|\..*_cache").fullmatch
STAND_INS = {"url": "x9y8" * 8, "ops": "a1b2c3d4e5f6g7h8i9j0"}
# A package with an advisory that everybody knows: who does not name it did not look.
KNOWN_BAD = "jinja2==2.4.1"
AUDIT_SECONDS = 5


def gather(root: Path) -> Evidence:
    """Look at everything. Raises Refused if the settings are refused or the service can't start."""
    configuration = Configuration(root)
    lines = {name: configuration.values(name) for name in ENVIRONMENTS}
    resolved = {name: _resolved(name, given) for name, given in lines.items()}
    files = files_of(root)
    with ThreadPoolExecutor(3) as pool:
        running = pool.submit(observe, lines["production"] | config.FROM_THE_IMAGE)
        audit = pool.submit(advisories, root)
        linted = pool.submit(workflows, root)
        in_files = secret_scan.in_files(root, files)
        in_history = secret_scan.in_history(_last_release()) if _has_history() else ()
        observed = running.result()
        return Evidence(
            root=root,
            files=files,
            settings=resolved,
            lines=lines,
            refused=_refused(lines["production"] | WEAK),
            answers=observed.answers,
            operations={
                f"{method.upper()} {path}": operation
                for path, methods in observed.description["paths"].items()
                for method, operation in methods.items()
            },
            schemas=observed.description["components"]["schemas"],
            log=observed.log,
            canaries=observed.canaries,
            shown="\n".join(config.show(root, name) for name in ENVIRONMENTS),
            containers=tuple(containers.found(root)),
            leaks=in_files,
            leaks_in_history=in_history,
            workflows=linted.result(),
            advisories=audit.result(),
        )


def _resolved(environment: str, given: Mapping[str, str]) -> Settings:
    """The settings that come of it, with stand-ins for the secrets."""
    with tempfile.TemporaryDirectory() as folder:
        secrets = stand_ins(Path(folder), STAND_INS) | config.FROM_THE_IMAGE
        try:
            return load({**given, **secrets})
        except SettingsRefused as refused:
            said = "\n".join(refused.faults)
            expected = "what the service takes"
            raise Refused(f"{environment}'s settings", expected, "make config", said) from refused


def _refused(given: Mapping[str, str]) -> tuple[str, ...]:
    """What the settings say to it."""
    try:
        load(given)
    except SettingsRefused as refused:
        return tuple(refused.faults)
    return ()


def _has_history() -> bool:
    return git.is_repository() and git.says_yes("rev-parse", "--verify", "--quiet", "HEAD")


def _last_release() -> str:
    """The commits since the last tag of a version; all of them before the first."""
    if not git.says_yes("describe", "--tags", "--abbrev=0", "--match", "v*"):
        return ""
    return git.git("describe", "--tags", "--abbrev=0", "--match", "v*") + "..HEAD"


def files_of(root: Path) -> tuple[Path, ...]:
    """The files that are, or would be, in the repository; without one, all but what tools made."""
    if root == shell.ROOT and git.is_repository():
        listed = git.git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
        return tuple(Path(name) for name in sorted(set(listed.split("\0")) - {""}))
    found = list[Path]()
    for folder, inside, names in os.walk(root):
        inside[:] = [name for name in inside if not MADE(name)]
        found += [Path(folder, name).relative_to(root) for name in names]
    return tuple(sorted(found))


def workflows(root: Path) -> tuple[str, ...]:
    """What zizmor has to say about the workflows; nothing where there are none."""
    if not (root / ".github").is_dir():
        return ()
    command = [TOOLS / "zizmor", "--offline", "--no-progress", "--format", "json", "--quiet"]
    said = shell.run([*command, root / ".github"]).output
    return tuple(
        f"{finding['locations'][0]['symbolic']['key']['Local']['given_path']}: {finding['desc']}"
        for finding in json.loads(said[said.index("[") :])
    )


def advisories(root: Path) -> tuple[str, ...] | None:
    """What is known against the packages that are shipped; None if the database can't be asked."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as asked:
        lines = (root / "requirements.txt").read_text(encoding="utf-8").split("\n")
        pins = [line.removesuffix(" \\") for line in lines if re.match(r"\S+==", line)]
        asked.write("\n".join([KNOWN_BAD, *pins]))
        asked.flush()
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "-f", "json"]
        command = [shell.PYTHON, "-m", "pip_audit", "-r", asked.name, "-s", "osv"]
        said = shell.run([*command, *options, "--timeout", str(AUDIT_SECONDS)]).output
    start = said.find('{"dependencies"')
    told: list[dict[str, Any]] = json.loads(said[start:])["dependencies"] if start >= 0 else []
    found = {d["name"]: [v["id"] for v in d.get("vulns", ())] for d in told}
    if not found.pop(KNOWN_BAD.partition("=")[0], None):
        return None
    return tuple(f"{name}: {', '.join(ids)}" for name, ids in found.items() if ids)
