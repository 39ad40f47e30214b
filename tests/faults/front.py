"""The Caddy that a project ships, in front of one service."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import baking
from tests.faults.service import Project, accepts
from vitals.ops.deploy.targets.caddy import adapted

CADDY = "from vitals.ops.deploy.targets.process import _caddy; print(_caddy())"


@contextmanager
def front(project: Project, folder: Path, port: int) -> Iterator[int]:
    """Yield the port of a Caddy with the project's configuration."""
    ours = baking.free_port()
    template = project.folder / "deploy" / "caddy.json"
    (folder / "slot").write_text(str(port))
    file = folder / "caddy.json"
    file.write_text(adapted(template, f"http://127.0.0.1:{ours}", folder))
    program = subprocess.run(
        [project.python, "-c", CADDY], cwd=project.folder, stdout=subprocess.PIPE, check=True
    )
    caddy = program.stdout.decode().split("\n")[-2]
    with (folder / "caddy.log").open("wb") as log:
        proxy = subprocess.Popen([caddy, "run", "--config", file], stdout=log, stderr=log)
    try:
        baking.wait_until(lambda: proxy.poll() is not None or accepts(ours), 20)
        assert proxy.poll() is None, (folder / "caddy.log").read_text()
        yield ours
    finally:
        proxy.terminate()
        proxy.wait()
