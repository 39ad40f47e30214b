"""Backup before a deployment that migrates: runs the command in [tool.vitals] `backup`.

The one that a project comes with, `python -m vitals.ops.deploy.backup`, dumps compose staging's
database. Exit code 3 means that there is none for this environment.
"""

import os
from pathlib import Path

from vitals.ops.deploy import history, state, targets
from vitals.ops.release.releases import Release
from vitals.ops.run import project_file, shell, steps
from vitals.ops.run.steps import Refused

NONE = 3
KEPT = 3  # dumps


def run(release: Release) -> str:
    """Run the project's command with ENV. Its output is in no log.

    Raises `Refused` when it fails.
    """
    command = str(project_file.table().get("backup", ""))
    if not command:
        return "no backup command in [tool.vitals]"
    ours = f"{Path(shell.PYTHON).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # its `python`
    environment = {"ENV": release.environment, "PATH": ours}
    code = shell.run(["/bin/sh", "-c", command], environment).code
    if code == NONE:
        return f"no backup command for {release.environment}"
    if code:
        found = f"the backup ended with {code}"
        fix = f"`ENV={release.environment} {command}` shows why; nothing was changed"
        raise Refused(found, "0, or 3 where there is none", fix)
    return "done"


def dump(environment: str) -> Path:
    """Write a dump of compose staging's database, readable for us alone; keep the last three."""
    state.make(home := state.folder(environment))
    folder = home / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    container = f"{targets.project_name()}-{environment}-database-1"
    file = folder / f"{history.now().replace(':', '')}.dump"
    aside = folder / "unfinished"  # takes no older dump's place
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        dump = "exec pg_dump --username=app --format=custom app 2>/dev/null"  # data only
        command = ["docker", "exec", container, "sh", "-c", dump]
        with shell.Program(command, output=output) as program:
            code = program.wait()
    if code:
        aside.unlink()
        found = f"pg_dump in {container} ended with {code}"
        raise Refused(found, fix=f"`docker exec {container} pg_dump -U app app` shows why")
    aside.rename(file)
    for old in sorted(folder.glob("*.dump"))[:-KEPT]:
        old.unlink()
    return file


def main() -> int:
    environment = os.environ.get("ENV", "")
    if environment != "staging" or "compose" not in targets.places():
        steps.say(
            f"no backup command for {environment or 'no ENV'}: write your own in [tool.vitals]"
        )
        return NONE
    steps.say(f"wrote {dump(environment)}")
    return 0


if __name__ == "__main__":
    steps.exit_with(main)
