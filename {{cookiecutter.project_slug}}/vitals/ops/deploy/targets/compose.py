"""Docker host as a target: two slots behind Caddy, as deploy/compose.yaml says.

A file in the proxy's volume names the live slot and is read at each request; the history lies
beside it. Runs where the engine is, e.g. `ssh HOST make -C SERVICE deploy …`.
"""

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vitals.ops.deploy.staging import ENVIRONMENT, ThrowawayStaging
from vitals.ops.deploy.targets import project_name
from vitals.ops.project.token import Issuer
from vitals.ops.release import releases
from vitals.ops.release.releases import Release
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

VERSION = ["docker", "compose", "version"]
FILE = Path("deploy", "compose.yaml")
# The names of service, files and variables that live environments have: new ones would start the
# proxy anew, which loses requests, and forget the history.
PROXY, HISTORY_FILE = "front", "trail.json"
# An atomic rename each: first the history, then the slot that makes it true.
SWITCH = f"""cd /run/live && printf %s "$2" > next && mv -f next {HISTORY_FILE}
printf %s "$1" > next && mv -f next slot"""
STATE = f"cd /run/live && if [ -e slot ]; then cat slot; echo; cat {HISTORY_FILE}; fi"
LOG_LINES = 30
BUILD = shell.ROOT / "build"
STOP_SECONDS = 30


class Compose:
    """One environment: a compose project of its own."""

    slots = ("blue", "green")

    def __init__(self, project: str, given: Mapping[str, str], *overlays: Path) -> None:
        """Take the variables of compose.yaml, and files that are laid over it."""
        self.project = project
        self._given = {"FRONT": str(BUILD / f"front-{project}.json"), **given}
        self._overlays = overlays

    def open(self, release: Release) -> None:
        folder = Path(self._given["SECRETS"])
        wanted = releases.secret_files(release).values()
        if missing := [name for name in wanted if not (folder / name).is_file()]:
            found = f"{folder} without {', '.join(missing)}"
            raise Refused(found, "a file for each secret, readable for all", "write them there")
        self._write_proxy_configuration(release)
        words = ("up", "--detach", "--no-recreate", "--wait", "--quiet-pull")
        self._compose(release, "--profile", release.environment, *words)

    def state(self) -> tuple[str, str]:
        name = self._name(PROXY)
        found = shell.check_output(["docker", "ps", "--all", "--format", "{{.Names}}"])
        if name not in found.split():
            return "", ""
        state = shell.check_output(["docker", "exec", name, "sh", "-c", STATE])
        slot, _, text = state.partition("\n")
        return slot, text

    def prepare(self, release: Release) -> str:
        inspect = ["docker", "image", "inspect", "--format", "{{.Config.Env}}"]
        known = shell.run([*inspect, self._image(release)]).output
        if f"APP_COMMIT={release.build.commit}" in known:
            return "built before"
        version, commit = release.build
        build = ["docker", "build", "--quiet", "--file", release.folder / "deploy" / "Dockerfile"]
        build += ["--build-arg", f"VERSION={version}", "--build-arg", f"COMMIT={commit}"]
        shell.check_output([*build, "--tag", self._image(release), release.folder])
        return "built"

    def migrate(self, release: Release) -> None:
        self._compose(release, "run", "--rm", "--no-deps", "migrate")

    def start(self, release: Release, slot: str) -> None:
        self.stop(slot)
        self._compose(release, "up", "--detach", "--no-deps", f"app-{slot}")

    def running(self, slot: str) -> bool:
        state = "{{.State.Running}} {{.RestartCount}}"
        inspected = shell.run(["docker", "inspect", "--format", state, self._name(f"app-{slot}")])
        return inspected.output.strip() == "true 0"

    @contextmanager
    def reach(self, slot: str) -> Iterator[str]:
        yield self.address(f"app-{slot}", "8000")

    def log(self, slot: str, containing: str = "") -> str:
        output = shell.run(["docker", "logs", self._name(f"app-{slot}")]).output
        lines = [line for line in output.splitlines() if containing in line]
        return "\n".join(lines[-LOG_LINES:])

    def stop(self, slot: str) -> None:
        """Let it finish its requests, without the drain: no new ones come here."""
        name, deadline = self._name(f"app-{slot}"), time.monotonic() + STOP_SECONDS
        shell.run(["docker", "kill", "--signal", "INT", name])
        while self.running(slot) and time.monotonic() < deadline:
            time.sleep(0.1)
        shell.run(["docker", "rm", "--force", "--volumes", name])

    def switch(self, slot: str, history: str) -> None:
        shell.check_output(
            ["docker", "exec", self._name(PROXY), "sh", "-ec", SWITCH, "sh", slot, history]
        )

    def address(self, service: str, port: str) -> str:
        """Return where a port of a service can be reached on this host."""
        ports = shell.check_output(["docker", "port", self._name(service), f"{port}/tcp"])
        return f"http://{ports.split()[0]}"

    def _compose(self, release: Release, *words: str) -> None:
        files = (release.folder / FILE, *self._overlays)
        environment = {"IMAGE": self._image(release), "ENVIRONMENT": release.environment}
        command = [*_command(*files), "--project-name", self.project, *words]
        shell.check_output(command, {**self._given, **environment})

    def _write_proxy_configuration(self, release: Release) -> None:
        """Write Caddy's configuration; it stays as it is while the proxy runs."""
        file = Path(self._given["FRONT"])
        if not file.exists():
            configuration = json.loads((release.folder / "deploy" / "caddy.json").read_text())
            if domain := self._given.get("DOMAIN"):
                server = configuration["apps"]["http"]["servers"]["front"]
                server["listen"] = [":443"]  # Caddy redirects from :80 and gets the certificate
                server["routes"][0]["match"] = [{"host": [domain]}]
            file.write_text(json.dumps(configuration, indent=2))

    def _name(self, service: str) -> str:
        return f"{self.project}-{service}-1"

    def _image(self, release: Release) -> str:
        return f"{project_name()}:{release.build.version}"


def target(environment: str) -> Compose:
    """Return the environment on this host; SECRETS and, at first, DOMAIN say what differs here."""
    name = project_name()
    folder = os.environ.get("SECRETS", f"/etc/{name}/{environment}")
    given = {"SECRETS": folder, "DOMAIN": os.environ.get("DOMAIN", "")}
    return Compose(f"{name}-{environment}", given)


def resolved_settings(root: Path, environment: str) -> dict[str, str]:
    """Return what compose gives to the service, by its own reading of the files in `root`."""
    read = _read(root, environment)
    resolved: dict[str, str] = read["services"]["app-blue"]["environment"]
    return resolved


@contextmanager
def throwaway_staging(folder: Path, issuer: Issuer) -> Iterator[ThrowawayStaging]:
    """Start a staging of containers that is gone after the block; one at a time on a host."""
    private = folder / "secrets"
    private.mkdir()
    random = secrets.token_hex(16)
    for name, value in (_read(shell.ROOT, ENVIRONMENT).get("x-throw-away") or {}).items():
        (private / name).write_text(value.replace("RANDOM", random))
    overlay = folder / "overlay.json"
    changed = issuer.settings(folder) | {"APP_AUTH_JWKS_URL": "file:///run/issuer/jwks.json"}
    slot = {"environment": changed, "volumes": [f"{folder / 'issuer'}:/run/issuer:ro"]}
    overlay.write_text(json.dumps({"services": {f"app-{name}": slot for name in Compose.slots}}))
    ports = {"HTTP_PORT": "127.0.0.1:0", "HTTPS_PORT": "127.0.0.1:0"}
    given = {"SECRETS": str(private), "FRONT": str(folder / "front.json"), **ports}
    target = Compose(f"{project_name()}-rehearsal", given, overlay)
    _end(target.project)
    try:
        yield ThrowawayStaging(
            target,
            lambda: target.address(PROXY, "80"),
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
    shell.check_output([*command, "--volumes", "--remove-orphans", "--timeout", "5"])


def _read(root: Path, environment: str) -> dict[str, Any]:
    command = [*_command(root / FILE), "--profile", "app", "config", "--format", "json"]
    read: dict[str, Any] = json.loads(shell.check_output(command, {"ENVIRONMENT": environment}))
    return read


def _command(*files: Path) -> list[str | Path]:
    return ["docker", "compose", *(word for file in files for word in ("--file", file))]
