"""How does a release run on a Docker host? In two slots behind Caddy, as deploy/compose.yaml says.

Which slot is live stands in a file of the front door's volume, read at each request; the trail
lies beside it. Runs where the engine is, e.g. `ssh HOST make -C SERVICE deploy …`.
"""

import json
import os
import secrets
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vitals.ops.deploy.staging import ENVIRONMENT, Stage
from vitals.ops.project.token import Issuer
from vitals.ops.release import releases
from vitals.ops.release.releases import Release
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

VERSION = ["docker", "compose", "version"]
FILE = Path("deploy", "compose.yaml")
# An atomic rename each: first the trail, then the slot that makes it true.
SWITCH = """cd /run/live && printf %s "$2" > next && mv -f next trail.json
printf %s "$1" > next && mv -f next slot"""
STATE = "cd /run/live && if [ -e slot ]; then cat slot; echo; cat trail.json; fi"
LOG_LINES = "30"
BUILD = shell.ROOT / "build"
STOP_SECONDS = 30


class Compose:
    """One environment: a compose project of its own."""

    slots = ("blue", "green")

    def __init__(self, project: str, given: Mapping[str, str], *overlays: Path) -> None:
        """`given` are the variables of compose.yaml, `overlays` are laid over it."""
        self.project = project
        self._given = {"FRONT": str(BUILD / f"front-{project}.json"), **given}
        self._overlays = overlays

    def open(self, release: Release) -> None:
        folder = Path(self._given["SECRETS"])
        wanted = releases.secret_files(release).values()
        if missing := [name for name in wanted if not (folder / name).is_file()]:
            found = f"{folder} without {', '.join(missing)}"
            raise Refused(found, "a file for each secret, readable for all", "write them there")
        self._keep_front(release)
        words = ("up", "--detach", "--no-recreate", "--wait", "--quiet-pull")
        self._compose(release, "--profile", release.environment, *words)

    def state(self) -> tuple[str, str]:
        name = self._name("front")
        found = shell.must(["docker", "ps", "--all", "--format", "{{.Names}}"])
        if name not in found.split():
            return "", ""
        slot, _, text = shell.must(["docker", "exec", name, "sh", "-c", STATE]).partition("\n")
        return slot, text

    def prepare(self, release: Release) -> str:
        inspect = ["docker", "image", "inspect", "--format", "{{.Config.Env}}"]
        known = shell.run([*inspect, self._image(release)]).output
        if f"APP_COMMIT={release.build.commit}" in known:
            return "built before"
        version, commit = release.build
        build = ["docker", "build", "--quiet", "--file", release.folder / "deploy" / "Dockerfile"]
        build += ["--build-arg", f"VERSION={version}", "--build-arg", f"COMMIT={commit}"]
        shell.must([*build, "--tag", self._image(release), release.folder])
        return "built"

    def migrate(self, release: Release) -> None:
        self._compose(release, "run", "--rm", "--no-deps", "migrate")

    def start(self, release: Release, slot: str) -> None:
        self.stop(slot)
        self._compose(release, "up", "--detach", "--no-deps", f"app-{slot}")

    def running(self, slot: str) -> bool:
        state = "{{.State.Running}} {{.RestartCount}}"
        said = shell.run(["docker", "inspect", "--format", state, self._name(f"app-{slot}")])
        return said.output.strip() == "true 0"

    @contextmanager
    def reach(self, slot: str) -> Iterator[str]:
        yield self.address(f"app-{slot}", "8000")

    def log(self, slot: str) -> str:
        return shell.run(["docker", "logs", "--tail", LOG_LINES, self._name(f"app-{slot}")]).output

    def stop(self, slot: str) -> None:
        """Let it finish what it is at, without the drain: no new requests come here."""
        name, deadline = self._name(f"app-{slot}"), time.monotonic() + STOP_SECONDS
        shell.run(["docker", "kill", "--signal", "INT", name])
        while self.running(slot) and time.monotonic() < deadline:
            time.sleep(0.1)
        shell.run(["docker", "rm", "--force", "--volumes", name])

    def switch(self, slot: str, trail: str) -> None:
        shell.must(["docker", "exec", self._name("front"), "sh", "-ec", SWITCH, "sh", slot, trail])

    def address(self, service: str, port: str) -> str:
        """Where a port of a service can be reached on this host."""
        said = shell.must(["docker", "port", self._name(service), f"{port}/tcp"])
        return f"http://{said.split()[0]}"

    def _compose(self, release: Release, *words: str) -> None:
        files = (release.folder / FILE, *self._overlays)
        variables = {"IMAGE": self._image(release), "ENVIRONMENT": release.environment}
        command = [*_command(*files), "--project-name", self.project, *words]
        shell.must(command, {**self._given, **variables})

    def _keep_front(self, release: Release) -> None:
        """Write the front door's configuration; it stays as it is while the front door stands."""
        file = Path(self._given["FRONT"])
        if not file.exists():
            front = json.loads((release.folder / "deploy" / "caddy.json").read_text())
            if domain := self._given.get("DOMAIN"):
                server = front["apps"]["http"]["servers"]["front"]
                server["listen"] = [":443"]  # Caddy redirects from :80 and gets the certificate
                server["routes"][0]["match"] = [{"host": [domain]}]
            file.write_text(json.dumps(front, indent=2))

    def _name(self, service: str) -> str:
        return f"{self.project}-{service}-1"

    def _image(self, release: Release) -> str:
        return f"{_slug()}:{release.build.version}"


def target(environment: str) -> Compose:
    """The environment on this host; SECRETS and, at first, DOMAIN say what is special here."""
    folder = os.environ.get("SECRETS", f"/etc/{_slug()}/{environment}")
    return Compose(
        f"{_slug()}-{environment}", {"SECRETS": folder, "DOMAIN": os.environ.get("DOMAIN", "")}
    )


def handed_over(root: Path, environment: str) -> dict[str, str]:
    """What compose hands to the service, by its own reading of the files in `root`."""
    read = _read(root, environment)
    handed: dict[str, str] = read["services"]["app-blue"]["environment"]
    return handed


@contextmanager
def stage(folder: Path, issuer: Issuer) -> Iterator[Stage]:
    """A staging of containers that is gone after the block; one at a time on a host."""
    kept = folder / "secrets"
    kept.mkdir()
    random = secrets.token_hex(16)
    for name, value in (_read(shell.ROOT, ENVIRONMENT).get("x-throw-away") or {}).items():
        (kept / name).write_text(value.replace("RANDOM", random))
    overlay = folder / "overlay.json"
    changed = issuer.settings(folder) | {"APP_AUTH_JWKS_URL": "file:///run/issuer/jwks.json"}
    slot = {"environment": changed, "volumes": [f"{folder / 'issuer'}:/run/issuer:ro"]}
    overlay.write_text(json.dumps({"services": {f"app-{name}": slot for name in Compose.slots}}))
    ports = {"HTTP_PORT": "127.0.0.1:0", "HTTPS_PORT": "127.0.0.1:0"}
    given = {"SECRETS": str(kept), "FRONT": str(folder / "front.json"), **ports}
    target = Compose(f"{_slug()}-rehearsal", given, overlay)
    _end(target.project)
    try:
        yield Stage(
            target,
            lambda: target.address("front", "80"),
            rehearsed="Docker, the image, deploy/compose.yaml",
            not_rehearsed=f"TLS, the values of {', '.join(changed)}",
        )
    finally:
        steps.interrupted.clear()
        _end(target.project)


def _end(project: str) -> None:
    """Remove a project with its data."""
    profiles = ["--profile", "app", "--profile", ENVIRONMENT]
    command = [*_command(shell.ROOT / FILE), "--project-name", project, *profiles, "down"]
    shell.must([*command, "--volumes", "--remove-orphans", "--timeout", "5"])


def _read(root: Path, environment: str) -> dict[str, Any]:
    command = [*_command(root / FILE), "--profile", "app", "config", "--format", "json"]
    read: dict[str, Any] = json.loads(shell.must(command, {"ENVIRONMENT": environment}))
    return read


def _command(*files: Path) -> list[str | Path]:
    return ["docker", "compose", *(word for file in files for word in ("--file", file))]


def _slug() -> str:
    project = tomllib.loads((shell.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["name"])
