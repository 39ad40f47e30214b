"""Throw-away staging of containers: a compose project with a name, data and images of its own."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitals.ops.deploy.staging import ENVIRONMENT, ThrowawayStaging
from vitals.ops.deploy.targets import project_name
from vitals.ops.deploy.targets.compose import PROXY, Compose
from vitals.ops.deploy.targets.docker import FILE, command, read
from vitals.ops.project.token import Issuer
from vitals.ops.run import shell, steps


@contextmanager
def throwaway_staging(folder: Path, issuer: Issuer) -> Iterator[ThrowawayStaging]:
    """Start a staging of containers that is gone after the block, with a name of its own."""
    _end_what_was_killed()
    private = folder / "secrets"
    private.mkdir()
    random = secrets.token_hex(16)
    for name, value in (read(shell.ROOT, ENVIRONMENT).get("x-throw-away") or {}).items():
        (private / name).write_text(value.replace("RANDOM", random))
    overlay = folder / "overlay.json"
    changed = issuer.settings(folder) | {"APP_AUTH_JWKS_URL": "file:///run/issuer/jwks.json"}
    slot = {"environment": changed, "volumes": [f"{folder / 'issuer'}:/run/issuer:ro"]}
    overlay.write_text(json.dumps({"services": {f"app-{name}": slot for name in Compose.slots}}))
    ports = {"HTTP_PORT": "127.0.0.1:0", "HTTPS_PORT": "127.0.0.1:0"}
    given = {"SECRETS": str(private), **ports}
    target = Compose(f"{_rehearsals()}{os.getpid()}", folder, given, overlay)
    target.releases, target.built = None, target.project
    for path in (p for each in (private, folder / "issuer") for p in (each, *each.iterdir())):
        path.chmod(0o755 if path.is_dir() else 0o644)  # containers read it, whatever the umask
    try:
        yield ThrowawayStaging(
            target,
            lambda: target.address(PROXY, "80"),
            "Docker, the image, deploy/compose.yaml",
            f"TLS, the values of {', '.join(changed)}",
            folder,
            issuer,
        )
    finally:
        steps.interrupted.clear()
        _end(target.project)


def _rehearsals() -> str:
    return f"{project_name()}-rehearsal-"


def _end_what_was_killed() -> None:
    """Remove the rehearsals on this host whose process is gone."""
    label = '{{.Label "com.docker.compose.project"}}'
    found = shell.check_output(["docker", "ps", "--all", "--format", label])
    for project in sorted(set(found.split())):
        number = project.removeprefix(_rehearsals())
        if project != number and number.isdecimal() and not _runs(int(number)):
            _end(project)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)  # a Mac has no /proc
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def _end(project: str) -> None:
    """Remove a project with its data and its images."""
    profiles = ["--profile", "app", "--profile", ENVIRONMENT]
    down = [*command(shell.ROOT / FILE), "--project-name", project, *profiles, "down"]
    shell.check_output([*down, "--volumes", "--remove-orphans", "--timeout", "5"])
    images = shell.check_output(["docker", "images", "--quiet", project]).split()
    shell.run(["docker", "image", "rm", "--force", *images])
