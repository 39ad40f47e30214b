"""A real Prometheus and a real Alertmanager with the project's configuration."""

import contextlib
import json
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests import baking
from tests.faults.client import ask
from tests.faults.service import OPS_TOKEN, Project, accepts


class Receiver:
    """The receiver of alerts: keeps what the Alertmanager sends."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        alerts = self.alerts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                alerts.extend(json.loads(self.rfile.read(length))["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass  # nobody reads it

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


FIRING = 'ALERTS{alertstate="firing"}'


@dataclass
class Monitoring:
    """Prometheus and the receiver of its alerts."""

    port: int
    receiver: Receiver

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The present result of an expression."""
        return self.ask("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))["result"]

    def firing(self) -> set[str]:
        """The names of the firing alerts."""
        return {series["metric"]["alertname"] for series in self.query(FIRING)}


@contextlib.contextmanager
def watching(project: Project, service_port: int, folder: Path) -> Iterator[Monitoring]:
    """Monitor a service with its own files; only addresses and waiting times differ."""
    brought = project.folder / "deploy" / "prometheus"
    receiver, ports = Receiver(), (baking.free_port(), baking.free_port())
    _rules(brought / "rules", folder)
    _alertmanager(brought, folder, receiver)
    _prometheus(brought, folder, service_port, ports[1])
    with (
        receiver,
        _running(
            folder,
            "prometheus-alertmanager",
            "--config.file=alertmanager.yaml",
            "--storage.path=alertmanager",
            "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{ports[1]}",
            port=ports[1],
        ),
        _running(
            folder,
            "prometheus",
            "--config.file=prometheus.yaml",
            "--storage.tsdb.path=prometheus",
            f"--web.listen-address=127.0.0.1:{ports[0]}",
            port=ports[0],
        ),
    ):
        yield Monitoring(ports[0], receiver)


def _rules(brought: Path, folder: Path) -> None:
    """Copy the rules with waiting times of a second."""
    for file in brought.glob("*.yaml"):
        rules = yaml.safe_load(file.read_text(encoding="utf-8"))
        for rule in rules["groups"][0]["rules"]:
            if "for" in rule:
                rule["for"] = "1s"
        (folder / f"{file.stem}_rules.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")


def _alertmanager(brought: Path, folder: Path, receiver: Receiver) -> None:
    configuration = yaml.safe_load((brought / "alertmanager.yaml").read_text(encoding="utf-8"))
    configuration["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    for each in configuration["receivers"]:
        each["webhook_configs"] = [{"url": f"{receiver.url}{each['name']}"}]
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")


def _prometheus(brought: Path, folder: Path, service_port: int, alertmanager_port: int) -> None:
    configuration = yaml.safe_load((brought / "prometheus.yaml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = ["*_rules.yaml"]
    address = {"targets": [f"127.0.0.1:{alertmanager_port}"]}
    configuration["alerting"]["alertmanagers"] = [{"static_configs": [address]}]
    (job,) = configuration["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{service_port}"]}]
    job["authorization"]["credentials_file"] = "ops_token"
    (folder / "ops_token").write_text(OPS_TOKEN, encoding="utf-8")
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")


@contextlib.contextmanager
def _running(folder: Path, *command: str, port: int) -> Iterator[None]:
    log = folder / f"{command[0]}.log"
    with (
        log.open("wb") as lines,
        subprocess.Popen(command, cwd=folder, stdout=lines, stderr=lines) as program,
    ):
        try:
            ended = program.poll
            baking.wait_until(lambda: _ready(port) or ended() is not None, 60)
            assert ended() is None, log.read_text()
            yield
        finally:
            program.terminate()


def _ready(port: int) -> bool:
    return accepts(port) and ask(port, "/-/ready").status == 200
