"""Generated projects for the tests: how to make one, and how to run it.

Everything lies in one scratch folder, which is deleted when the test process ends.
"""

import atexit
import contextlib
import functools
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "{{cookiecutter.project_slug}}"
IN_PLACE = ROOT / FOLDER
ANSWER = re.compile(r"cookiecutter\.(?!json\b)")  # what is rendered; not the name of a file
VARIANTS = {
    "full": {"database": "true", "cache": "true"},
    "database": {"database": "true", "cache": "false"},
    "cache": {"database": "false", "cache": "true"},
    "plain": {"database": "false", "cache": "false"},
}

_scratch = tempfile.TemporaryDirectory(prefix="vitals-")
atexit.register(_scratch.cleanup)
SCRATCH = Path(_scratch.name)


def template_files() -> list[str]:
    """List what git would commit, so that no cache and no .venv gets into a bake."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return sorted(name for name in listed.stdout.split("\0") if (ROOT / name).is_file())


def project_files() -> list[str]:
    """List the files of the project inside the template, relative to its folder."""
    inside = f"{FOLDER}/"
    return [name.removeprefix(inside) for name in template_files() if name.startswith(inside)]


@functools.cache
def template() -> Path:
    """Copy the template, as a fresh clone has it."""
    copy = SCRATCH / "template"
    for name in template_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


@functools.cache
def user_config() -> Path:
    """A configuration that keeps cookiecutter's records out of the home folder."""
    config = SCRATCH / "cookiecutter.yaml"
    config.write_text(f"replay_dir: {SCRATCH / 'replay'}\n", encoding="utf-8")
    return config


def generate(into: Path, **answers: str) -> Path:
    """Generate a project that the caller may run and change."""
    return Path(
        cookiecutter(
            str(template()),
            no_input=True,
            extra_context=answers,
            output_dir=str(into),
            config_file=str(user_config()),
        )
    )


@functools.cache
def bake(**answers: str) -> Path:
    """Generate a project to read, once for each set of answers. Do not change it."""
    return generate(Path(tempfile.mkdtemp(dir=SCRATCH)), **answers)


def files_of(project: Path) -> dict[str, str]:
    """Read every file of a bake, by its path in the project."""
    return {
        str(path.relative_to(project)): path.read_text(encoding="utf-8")
        for path in sorted(project.rglob("*"))
        if path.is_file()
    }


def environment(**changed: str) -> dict[str, str]:
    """This process's environment without what an outer make or pytest has set."""
    ours = ("MAKE", "MFLAGS", "PYTEST_", "APP_", "TEST_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return inherited | changed


def tag(project: Path, version: str) -> None:
    """Make a repository of a project, whose one commit has a version's tag."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (
        ("init", "--quiet", "-b", "main"),
        ("add", "--all"),
        (*who, "commit", "--quiet", "--message=first"),
        (*who, "tag", "--annotate", f"--message={version}", version),
    ):
        subprocess.run(["git", *words], cwd=project, check=True)


def make(
    project: Path, *words: str, within_seconds: int = 300, start: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run make in a project, as a user does. `stdout` holds both output streams.

    `start` are the words before a command that start it elsewhere, in the same folder.
    """
    return subprocess.run(
        [*start, "make", *words],
        cwd=project,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=within_seconds,
        check=False,
    )


def set_up(project: Path, *words: str, start: Sequence[str] = ()) -> None:
    """Install a project; repeat for two minutes when the package index fails."""

    def installed() -> bool:
        done = make(project, "setup", *words, start=start)
        print(done.stdout)
        return done.returncode == 0

    wait_until(installed, 120)


def free_port() -> int:
    """Find a free port. Another process may take it first: check which one answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def with_the_engine(folder: Path, *packages: str) -> Path:
    """Make an environment with the engine's wheel and other packages; return its Python."""
    subprocess.run(["make", "engine", f"DEST={folder}"], cwd=ROOT, check=True)
    [wheel] = folder.glob("*.whl")
    subprocess.run(["uv", "venv", "--quiet", "--no-config", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    install = ["uv", "pip", "install", "--quiet", "--no-config", "--python", python]
    subprocess.run([*install, wheel, *packages], check=True)
    return python


@contextlib.contextmanager
def serving(project: Path, start: Sequence[str] = ()) -> Iterator[str]:
    """Start the service of a project that is set up, by its start command; yield its address."""
    python = [project / ".venv" / "bin" / "python", "-m"]
    begin = [*start, "env", "APP_ENVIRONMENT=local", "APP_DRAIN_SECONDS=0"]
    if (project / "migrations").exists():
        migrate = [*begin, *python, "vitals.ops.project.migration"]
        subprocess.run(migrate, cwd=project, env=environment(), check=True)
    port, commit = free_port(), secrets.token_hex(8)
    address = f"http://127.0.0.1:{port}"

    def ours() -> bool:  # another process may have taken the port meanwhile
        return commit in answered(f"{address}/health") and bool(answered(f"{address}/readyz"))

    command = [*begin, f"APP_PORT={port}", f"APP_COMMIT={commit}", *python, "app"]
    with subprocess.Popen(command, cwd=project, env=environment()) as service:
        try:
            wait_until(lambda: service.poll() is not None or ours(), 60)
            assert service.poll() is None, f"it ended with {service.returncode} at its start"
            yield address
        finally:
            service.terminate()
    assert service.returncode == 0


def ask(url: str, body: object = None) -> str:
    """Send a GET, or a POST if there is a body. Raises OSError for no answer or an error status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def answered(url: str) -> str:
    try:
        return ask(url)
    except OSError:
        return ""


def wait_until(condition: Callable[[], object], within_seconds: float) -> None:
    """Poll until the condition holds. Raises TimeoutError when it does not in time."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_seconds} s: {condition}")
        time.sleep(0.05)  # the pause between two polls
