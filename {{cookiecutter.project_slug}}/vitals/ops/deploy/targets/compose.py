"""Docker host as a target: two slots behind Caddy, as deploy/compose.yaml says.

A file in the proxy's volume names the live slot and is read at each request; the history lies
beside it. Runs where the engine is, e.g. `ssh HOST make -C SERVICE deploy …`.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from vitals.ops.deploy import history, state
from vitals.ops.deploy.history import Entry
from vitals.ops.deploy.targets import Replica, caddy, database, docker, project_name
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

VERSION = ["docker", "compose", "version"]
# The names of service, files and variables that live environments have: new ones would start the
# proxy anew, which loses requests, and forget the history.
PROXY, HISTORY_FILE = "front", "trail.json"
# An atomic rename each: first the history, then the slot that makes it true.
SWITCH = f"""cd /run/live && printf %s "$2" > next && mv -f next {HISTORY_FILE}
printf %s "$1" > next && mv -f next slot"""
STATE = f"cd /run/live && if [ -e slot ]; then cat slot; echo; cat {HISTORY_FILE}; fi"
LOG_LINES = 30
STOP_SECONDS = 30


class Compose:
    """One environment: a compose project of its own."""

    slots = ("blue", "green")

    def __init__(
        self, project: str, folder: Path, given: Mapping[str, str], *overlays: Path
    ) -> None:
        """Take its folder on this host, the variables of compose.yaml, and files laid over it."""
        self.project = project
        self.releases: Path | None = folder / "releases"
        self.folder = folder
        self._given = {"FRONT": str(folder / "front.json"), **given}
        self._overlays = overlays
        self.built = project_name()  # the name of an image that is built here

    def alone(self) -> AbstractContextManager[None]:
        return state.alone(self.folder, f"process {os.getpid()} of {history.user()}")

    def open(self, release: Release) -> None:
        folder = Path(self._given["SECRETS"])
        wanted = releases.secret_files(release).values()
        if missing := [name for name in wanted if not (folder / name).is_file()]:
            found = f"{folder} without {', '.join(missing)}"
            raise Refused(found, "a file for each secret, readable for all", "write them there")
        database.keep_data(self.project, release, self.compose)
        domain = self._configure_proxy(release)
        words = ("up", "--detach", "--wait", "--quiet-pull")
        self.compose(release, "--profile", release.environment, *words, "--no-recreate")
        if domain:
            steps.say(f"the proxy starts anew for {domain}: requests of this second fail")
            self.compose(release, *words, "--no-deps", "--force-recreate", PROXY)

    def state(self) -> tuple[str, str]:
        name = self._name(PROXY)
        if name not in docker.containers():
            return "", ""
        said = shell.check_output(["docker", "exec", name, "sh", "-c", STATE])
        slot, _, text = said.partition("\n")
        return slot, text

    def prepare(self, release: Release) -> str:
        if release.image:
            shell.check_output(["docker", "pull", "--quiet", release.image])
            return f"pulled {release.image}"
        version, commit = release.build
        image = self._image("", version)
        if f"APP_COMMIT={commit}" in docker.inspected(image, "{{.Config.Env}}"):
            return "built before"
        build = ["docker", "build", "--quiet", "--file", release.folder / "deploy" / "Dockerfile"]
        build += ["--build-arg", f"VERSION={version}", "--build-arg", f"COMMIT={commit}"]
        shell.check_output([*build, "--tag", image, release.folder])
        return "built on this host: [tool.vitals] names no image to pull"

    def migrate(self, release: Release) -> None:
        self.compose(release, "run", "--rm", "--no-deps", "migrate")

    def start(self, release: Release, slot: str) -> None:
        self.stop(slot)
        self.compose(release, "up", "--detach", "--no-deps", f"app-{slot}")

    def running(self, slot: str) -> bool:
        state = "{{.State.Running}} {{.RestartCount}}"
        return docker.inspected(self._name(f"app-{slot}"), state) == "true 0"

    @contextmanager
    def reach(self, slot: str) -> Iterator[str]:
        yield self.address(f"app-{slot}", "8000")

    @contextmanager
    def replicas(self, slot: str) -> Iterator[list[Replica]]:
        name, url = self._name(f"app-{slot}"), self.address(f"app-{slot}", "8000")
        yield [Replica(name, url, float(docker.inspected(name, "{{.HostConfig.Memory}}") or 0))]

    def token(self, file: str) -> str:
        return (Path(self._given["SECRETS"]) / file).read_text()

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
        script = ["sh", "-ec", SWITCH, "sh", slot, history]
        shell.check_output(["docker", "exec", self._name(PROXY), *script])

    def tidy(self, entries: Sequence[Entry]) -> None:
        if self.releases is None:  # a rehearsal's, whose end removes all
            return
        lasting = history.lasting(entries)
        had, needed = ({self._image(e.image, e.version) for e in x} for x in (entries, lasting))
        for image in had - needed:
            shell.run(["docker", "image", "rm", image])
        names = {releases.folder_name(Build(each.version, each.commit)) for each in lasting}
        for folder in self.releases.glob("*"):  # none yet where an older engine deployed
            if folder.name not in names:
                shutil.rmtree(folder)

    def address(self, service: str, port: str) -> str:
        """Return where a port of a service can be reached on this host."""
        ports = shell.check_output(["docker", "port", self._name(service), f"{port}/tcp"])
        return f"http://{ports.split()[0]}"

    def compose(self, release: Release, *words: str) -> None:
        """Run compose with the release's files and this environment's variables."""
        files = (release.folder / docker.FILE, *self._overlays)
        environment = {"ENVIRONMENT": release.environment}
        environment["IMAGE"] = self._image(release.image, release.build.version)
        called = [*docker.command(*files), "--project-name", self.project, *words]
        shell.check_output(called, {**self._given, **environment})

    def _configure_proxy(self, release: Release) -> str:
        """Write Caddy's configuration, and return the domain that the proxy must start anew for.

        It stays as it is, unless DOMAIN names another domain.
        """
        file, domain = Path(self._given["FRONT"]), self._given.get("DOMAIN", "")
        runs = self._name(PROXY) in docker.containers()
        if runs and not file.exists():  # of a time when a clone held its configuration
            read = ["docker", "exec", self._name(PROXY), "cat", "/etc/caddy/caddy.json"]
            state.write(file, shell.check_output(read))
            again = f"`docker rm --force {self._name(PROXY)}`, then the same command"
            steps.say(f"the proxy reads its configuration in a clone; {again} to read {file}")
        if file.exists() and (not domain or domain == caddy.domain(file)):
            return ""
        state.write(file, caddy.serving(release.folder / "deploy" / "caddy.json", domain))
        return domain if runs else ""

    def _name(self, service: str) -> str:
        return f"{self.project}-{service}-1"

    def _image(self, by_digest: str, version: str) -> str:
        return by_digest or f"{self.built}:{version}"


def target(environment: str) -> Compose:
    """Return the environment on this host; SECRETS and DOMAIN say what differs here."""
    name = project_name()
    secrets = os.environ.get("SECRETS", f"/etc/{name}/{environment}")
    given = {"SECRETS": secrets, "DOMAIN": os.environ.get("DOMAIN", "")}
    return Compose(f"{name}-{environment}", state.folder(environment), given)


def resolved_settings(root: Path, environment: str) -> dict[str, str]:
    """Return what compose gives to the service, by its own reading of the files in `root`."""
    found: dict[str, str] = docker.read(root, environment)["services"]["app-blue"]["environment"]
    return found
