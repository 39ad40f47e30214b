"""A generated project with released versions, and its deployment on this machine."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.baking import environment, generate, set_up

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
PROJECT = "orders-api-staging"
SECRETS = {  # what the servers of deploy/compose.yaml are started with
    "ops_token": "7f3c9a1e5b8d2f60",
    "database_password": "c4f1e8a97b2d",
    "database_url": "postgresql://app:c4f1e8a97b2d@database:5432/app",
    "cache_url": "redis://cache:6379/0",
}


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *WHO, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(project: Path, message: str) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--allow-empty", "--message", message)


def containers(project: str = "") -> list[str]:
    """The containers of a compose project, or of all, running or not."""
    label = ["--filter", f"label=com.docker.compose.project={project}"] if project else []
    return docker("ps", "--all", *label, "--format", "{{.Names}}").split()


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Released:
    """The project, its remote, and the secrets of its staging."""

    def __init__(self, folder: Path, **answers: str) -> None:
        self.project = generate(folder, **answers)
        self.state = folder / "state"
        self.secrets = folder / "secrets"
        self.secrets.mkdir()
        for name, text in SECRETS.items():
            (self.secrets / name).write_text(text)
        for file in (self.project / "config").glob("*.env"):
            file.write_text(file.read_text().replace(".internal", ".example"))
        table = self.project / "pyproject.toml"
        state = f'[tool.vitals]\nstate = "{folder / "state"}"\n'
        table.write_text(table.read_text().replace("[tool.vitals]\n", state))
        git(self.project, "init", "--quiet", "--initial-branch=main")
        commit(self.project, "Start")
        git(folder, "init", "--quiet", "--bare", "origin.git")
        git(self.project, "remote", "add", "origin", str(folder / "origin.git"))
        set_up(self.project)

    def release(self, version: str) -> None:
        git(self.project, "tag", "--annotate", "--message", version, version)
        git(self.project, "push", "--quiet", "origin", "main", version)

    def start(self, *words: str, **changed: str) -> subprocess.Popen[str]:
        """Start a module of `vitals.ops` as our own child, so that it receives signals."""
        return subprocess.Popen(
            [self.project / ".venv" / "bin" / "python", "-u", "-m", *words],
            cwd=self.project,
            env=self.environment(**changed),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        with self.start(*words, **changed) as process:
            output, _ = process.communicate(timeout=600)
        return subprocess.CompletedProcess(words, process.returncode, output)

    def deploy(self, version: str) -> subprocess.CompletedProcess[str]:
        return self.run("vitals.ops.deploy.deploy", "deploy", VERSION=version)

    def live(self) -> str:
        """The live version, from the last line of the history."""
        done = self.run("vitals.ops.deploy.deploy", "live")
        return done.stdout.splitlines()[-1].split()[1] if done.returncode == 0 else done.stdout

    def remove(self, projects: Iterable[str] = (PROJECT,)) -> None:
        for project in projects:
            if found := containers(project):
                docker("rm", "--force", "--volumes", *found)
            for kind in ("network", "volume"):
                named = docker(kind, "ls", "--filter", f"name={project}_", "--quiet").split()
                if named:
                    docker(kind, "rm", *named)

    def environment(self, **changed: str) -> dict[str, str]:
        ports = {"HTTP_PORT": "127.0.0.1:0", "HTTPS_PORT": "127.0.0.1:0"}
        engine = {name: os.environ[name] for name in os.environ if name.startswith("DOCKER")}
        given = {"ENV": "staging", "YES": "1", "WATCH": "0", "SECRETS": str(self.secrets)}
        return environment(**engine, **ports, **given | changed)
