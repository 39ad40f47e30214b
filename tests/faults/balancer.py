"""A real haproxy in front of two instances, which calls /readyz and never retries."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import baking
from tests.faults.client import ask

CONFIG = """
global
  maxconn 500
defaults
  mode http
  retries 0
  timeout connect 2s
  timeout client 20s
  timeout server 20s
  timeout check 2s
frontend all
  bind 127.0.0.1:{port}
  http-request return status 200 if {{ path /all-in-use }} {{ nbsrv(instances) eq 2 }}
  http-request return status 503 if {{ path /all-in-use }}
  default_backend instances
backend instances
  option httpchk GET /readyz
  default-server check inter 200ms fall 2 rise 1
"""


@contextmanager
def balancer(folder: Path, ports: Sequence[int]) -> Iterator[int]:
    """Balance over the ports; yield the port to call once both instances are in use."""
    port = baking.free_port()
    config = folder / "haproxy.cfg"
    servers = "".join(f"  server i{p} 127.0.0.1:{p}\n" for p in ports)
    config.write_text(CONFIG.format(port=port) + servers, encoding="utf-8")
    log = folder / "haproxy.log"
    with (
        log.open("wb") as lines,
        subprocess.Popen(
            ["haproxy", "-q", "-db", "-f", config], stdout=lines, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            baking.wait_until(lambda: all_in_use(port) or process.poll() is not None, 20)
            assert process.poll() is None, log.read_text()
            yield port
        finally:
            process.terminate()


def all_in_use(port: int) -> bool:
    """Whether the balancer sends requests to both instances."""
    try:
        return ask(port, "/all-in-use").status == 200
    except OSError:
        return False
