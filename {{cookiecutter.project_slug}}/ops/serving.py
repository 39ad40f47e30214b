"""How is the service started to be tested or measured? By its one start command, on a free port."""

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from ops import shell
from ops.steps import Refused


class Served(NamedTuple):
    url: str
    program: shell.Program
    log: Path


@contextmanager
def serving(environment: Mapping[str, str], within_seconds: float = 20) -> Iterator[Served]:
    """Serve `python -m app` until the block ends; it is entered once the service is ready.

    The answer must bear a mark that only our own child knows, so that no other listener is taken
    for it. Raises `Refused` with the log when the service ends or does not get ready.
    """
    port, mark = shell.free_port(), secrets.token_hex(8)
    url = f"http://127.0.0.1:{port}"
    settings = {
        "APP_ENVIRONMENT": "test",
        "APP_COMMIT": mark,
        "APP_PORT": str(port),
        **environment,
    }
    with tempfile.TemporaryDirectory(prefix="app-") as folder:
        log = Path(folder, "log")
        with (
            log.open("wb") as output,
            httpx.Client(base_url=url, timeout=2) as client,
            shell.Program([shell.PYTHON, "-m", "app"], environment=settings, output=output) as app,
        ):
            if not app.wait_until(lambda: _is_ours(client, mark), within_seconds):
                raise Refused(
                    f"the service did not get ready: exit code {app.code}",
                    expected=f"an answer of GET /health within {within_seconds:g} s",
                    output=log.read_text(errors="replace"),
                )
            yield Served(url, app, log)


def _is_ours(client: httpx.Client, mark: str) -> bool:
    try:
        answer = client.get("/health")
    except httpx.TransportError:
        return False
    return answer.is_success and answer.json().get("releaseId") == mark
