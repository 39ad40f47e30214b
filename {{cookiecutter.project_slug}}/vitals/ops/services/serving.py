"""The service under test: its one start command, on a free port."""

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from vitals.ops.run import shell
from vitals.ops.run.steps import Refused


class Served(NamedTuple):
    url: str
    program: shell.Program
    log: Path


@contextmanager
def serving(
    environment: Mapping[str, str],
    *,
    module: str = "app",
    host: str = "127.0.0.1",
    healthy: bool = True,
    within_seconds: float = 20,
) -> Iterator[Served]:
    """Serve `python -m app` until the block ends; it is entered once the service is `healthy`.

    `host` is a name that it answers to, if its settings allow no other.

    The answer must bear a mark that only our own child knows, so that no other listener is taken
    for it. Raises `Refused` with the log when the service ends or does not get so far.
    """
    port, mark = shell.free_port(), secrets.token_hex(8)
    url = f"http://127.0.0.1:{port}"
    settings = {
        "APP_ENVIRONMENT": "test",
        "APP_COMMIT": mark,
        "APP_PORT": str(port),
        "APP_SERVER_TIMING": "true",
        **environment,
    }
    with tempfile.TemporaryDirectory(prefix="app-") as folder:
        log = Path(folder, "log")
        with (
            log.open("wb") as output,
            httpx.Client(base_url=url, headers={"Host": host}, timeout=2) as client,
            shell.Program([shell.PYTHON, "-m", module], environment=settings, output=output) as app,
        ):
            if not app.wait_until(lambda: _answers(client, mark, healthy), within_seconds):
                raise Refused(
                    f"the service did not get ready in environment {settings['APP_ENVIRONMENT']}; "
                    f"its exit code: {app.code}",
                    expected=f"GET /health to be answered within {within_seconds:g} s",
                    output=log.read_text(errors="replace"),
                )
            yield Served(url, app, log)


def _answers(client: httpx.Client, mark: str, healthy: bool) -> bool:
    try:
        answer = client.get("/health")
    except httpx.TransportError:
        return False
    return answer.json().get("releaseId") == mark and (answer.is_success or not healthy)
