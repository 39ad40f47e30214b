"""Staging's PostgreSQL on a Docker host, when compose.yaml names another version than it has.

One version does not read the data of another: it would take their volume for an empty one.
"""

import re
from collections.abc import Callable
from pathlib import Path

from vitals.ops.deploy.targets import docker
from vitals.ops.release.releases import Release
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

SERVICE = "database"
IMAGE = re.compile(r"^ *image: postgres:(\d+)", re.MULTILINE)
# Prints the version of what the volume holds, and fails, unless it is what this image reads.
ITS_DATA = """[ -e "$PGDATA/PG_VERSION" ] ||
for folder in /var/lib/postgresql /var/lib/postgresql/*/docker "$PGDATA"/*/docker; do
  ! cat "$folder/PG_VERSION" 2>/dev/null || exit 1
done"""
MOVE = "deploy/compose.md, `Another version of PostgreSQL`, says how to move its data"


def keep_data(project: str, release: Release, compose: Callable[..., None]) -> None:
    """Let a server of another version go on; raise `Refused` where only its data are left."""
    container, volume = f"{project}-{SERVICE}-1", f"{project}_{SERVICE}"
    if container in docker.containers():
        there = docker.inspected(container, "{{.Config.Image}}")
        services = docker.read(release.folder, release.environment)["services"]
        if (named := services.get(SERVICE, {}).get("image", there)) != there:
            steps.say(f"{container} goes on with {there}, not {named}: {MOVE}")
    elif volume in shell.check_output(["docker", "volume", "ls", "--quiet"]).split():
        run = ("run", "--rm", "--no-deps", "--entrypoint", "sh")
        try:
            compose(release, *run, SERVICE, "-c", ITS_DATA)
        except Refused as refusal:
            refusal.found = f"{volume} holds no data that the image of compose.yaml can read"
            refusal.fix = f"deploy a version whose image can. {MOVE}"
            raise


def another_version(before: Path, after: Path) -> str:
    """Say which PostgreSQL becomes which between two folders of a project, "" where none does."""
    files = (folder / "deploy" / "compose.yaml" for folder in (before, after))
    had, has = (IMAGE.findall(f.read_text(encoding="utf-8")) if f.exists() else [] for f in files)
    return f"PostgreSQL {had[0]} becomes {has[0]}: {MOVE}" if had and has and had != has else ""
