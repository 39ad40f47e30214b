"""kubectl in one namespace: the only module that starts it, but for rendering."""

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from vitals.ops.run import shell
from vitals.ops.run.steps import Refused, interrupted

# What a container waits for in vain; its reason is there long before a rollout gives up.
STUCK = ("ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CrashLoopBackOff")


def namespace() -> str:
    """Return the namespace of kubectl's context."""
    printed = shell.check_output(["kubectl", "config", "view", "--minify", "--output=json"])
    contexts = json.loads(printed).get("contexts") or [{"context": {}}]
    return str(contexts[0]["context"].get("namespace", "default"))


def _bytes(quantity: str) -> float:
    """Return the bytes of a quantity of memory, such as 512Mi; 0 for a unit that is rare."""
    found = re.fullmatch(r"([\d.]+)([KMGkm]?i?)", quantity)
    unit = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "k": 1e3, "M": 1e6, "G": 1e9}
    return float(found[1]) * unit.get(found[2], 0) if found else 0


class Kubectl:
    def __init__(self, namespace: str) -> None:
        self._command = ["kubectl", "--namespace", namespace]

    def run(self, *words: str) -> shell.Finished:
        """Run it; return its exit code and output."""
        return shell.run([*self._command, *words])

    def check(self, *words: str) -> str:
        """Run it; return its output. Raises `Refused` with the output when it fails."""
        return shell.check_output([*self._command, *words])

    def apply(self, manifests: Sequence[dict[str, Any]]) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump_all(manifests, file)
            file.flush()
            self.check("apply", "--filename", file.name)

    def get(self, *what: str) -> dict[str, Any] | None:
        found = self.check("get", *what, "--ignore-not-found", "--output", "json")
        return json.loads(found) if found.strip() else None

    def pods(self, slot: str) -> Iterator[tuple[str, float]]:
        """Yield the running pods of the service: name, and limit of memory in bytes, 0 for none."""
        words = ("pods", "--selector", f"part=service,slot={slot}")
        for pod in (self.get(*words) or {}).get("items", []):
            about, container = pod["metadata"], pod["spec"]["containers"][0]
            if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in about:
                limits = container.get("resources", {}).get("limits", {})
                yield about["name"], _bytes(limits.get("memory", "0"))

    def log(self, slot: str, containing: str = "") -> str:
        words = ("--selector", f"slot={slot}", "--tail", "30", "--prefix")
        output = shell.run([*self._command, "logs", *words]).output
        return "".join(line for line in output.splitlines(keepends=True) if containing in line)

    @contextmanager
    def forward(self, deployment: str) -> Iterator[str]:
        port = shell.free_port()
        command = [*self._command, "port-forward", deployment, f"{port}:8000"]
        with (
            tempfile.NamedTemporaryFile() as log,
            shell.Program(command, output=log.file) as program,
        ):
            ready = b"Forwarding from"
            if not program.wait_until(lambda: ready in Path(log.name).read_bytes(), 30):
                raise Refused("the slot can't be reached", output=Path(log.name).read_text())
            yield f"http://127.0.0.1:{port}"

    def wait(self, ended: Callable[[], bool], slot: str, seconds: int) -> None:
        """Wait for something; not longer than it takes to see that a pod can't start."""
        deadline = time.monotonic() + seconds
        while not ended():
            words = ("pods", "--selector", f"slot={slot}")
            for pod in (self.get(*words) or {"items": []}).get("items", []):
                for each in pod.get("status", {}).get("containerStatuses", []):
                    waiting = each["state"].get("waiting", {})
                    if waiting.get("reason") in STUCK:
                        found = f"{pod['metadata']['name']}: {waiting['reason']}"
                        said = f"{waiting.get('message', '')}\n{self.log(slot)}"
                        raise Refused(found, "pods that start", output=said)
            if time.monotonic() > deadline or interrupted.is_set():
                raise Refused(
                    f"slot {slot} was not ready within {seconds} s", output=self.log(slot)
                )
            time.sleep(1)
