"""Kubernetes as a target: two slots; the Service's selector says which is live.

deploy/kubernetes holds the manifests; a slot adds its name, the image and the environment. The
history is an annotation of the Service, so that one patch changes both.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from vitals.ops.deploy.targets import project_name
from vitals.ops.release import releases
from vitals.ops.release.releases import Release
from vitals.ops.run import project_file, shell
from vitals.ops.run.steps import Refused, interrupted

VERSION = ["kubectl", "version", "--client"]
FOLDER = Path("deploy", "kubernetes")
HISTORY = "trail"  # the annotation of live environments keeps its name
ROLLOUT_SECONDS, MIGRATION_SECONDS = 180, 330
KINDS = "deployment,hpa,pdb,networkpolicy,job,configmap"


class Kubernetes:
    """One environment: a namespace of its own, in the cluster that kubectl points to."""

    slots = ("blue", "green")

    def __init__(self, name: str, image: str, environment: str) -> None:
        self._name = name
        self._image = image
        self._namespace = f"{name}-{environment}"

    def open(self, release: Release) -> None:
        self._refuse_missing_secrets(release)
        if self._get("service", self._name) is None:
            self._kubectl("create", "--filename", str(release.folder / FOLDER / "front"))

    def state(self) -> tuple[str, str]:
        service = self._get("service", self._name) or {"spec": {"selector": {}}, "metadata": {}}
        slot = str(service["spec"]["selector"].get("slot", "none"))
        text = service["metadata"].get("annotations", {}).get(HISTORY, "")
        return ("", "") if slot == "none" else (slot, str(text))

    def prepare(self, release: Release) -> str:
        return f"{self._image}:{release.build.version} comes from the registry"

    def migrate(self, release: Release) -> None:
        slot = next(slot for slot in self.slots if slot != self.state()[0])
        self._kubectl("delete", "job", "--selector", f"slot={slot}", "--ignore-not-found")
        self._apply(release, slot, "migrate")
        deadline = time.monotonic() + MIGRATION_SECONDS
        while time.monotonic() < deadline and not interrupted.is_set():
            status = (self._get("job", f"migrate-{slot}") or {}).get("status", {})
            if status.get("succeeded"):
                return
            if status.get("failed"):
                break
            time.sleep(1)
        log = self._kubectl("logs", f"job/migrate-{slot}", "--tail", "30")
        raise Refused("the migration failed", output=log)

    def start(self, release: Release, slot: str) -> None:
        self._apply(release, slot, "service")
        timeout = f"--timeout={ROLLOUT_SECONDS}s"
        try:
            self._kubectl("rollout", "status", self._deployment(slot), timeout)
        except Refused as refused:
            refused.output += self.log(slot)
            raise

    def running(self, slot: str) -> bool:
        found = self._get(self._deployment(slot))
        return bool(found and found["status"].get("availableReplicas"))

    @contextmanager
    def reach(self, slot: str) -> Iterator[str]:
        port = shell.free_port()
        command = [*self._command(), "port-forward", self._deployment(slot), f"{port}:8000"]
        with (
            tempfile.NamedTemporaryFile() as log,
            shell.Program(command, output=log.file) as program,
        ):
            ready = b"Forwarding from"
            if not program.wait_until(lambda: ready in Path(log.name).read_bytes(), 30):
                raise Refused("the slot can't be reached", output=Path(log.name).read_text())
            yield f"http://127.0.0.1:{port}"

    def log(self, slot: str, containing: str = "") -> str:
        words = ("--selector", f"slot={slot}", "--tail", "30", "--prefix")
        output = shell.run([*self._command(), "logs", *words]).output
        return "".join(line for line in output.splitlines(keepends=True) if containing in line)

    def stop(self, slot: str) -> None:
        self._kubectl("delete", KINDS, "--selector", f"slot={slot}", "--ignore-not-found")

    def switch(self, slot: str, history: str) -> None:
        change = {
            "metadata": {"annotations": {HISTORY: history}},
            "spec": {"selector": {"slot": slot}},
        }
        patch = ("--type=merge", f"--patch={json.dumps(change)}")
        self._kubectl("patch", "service", self._name, *patch)

    def _apply(self, release: Release, slot: str, part: str) -> None:
        """Apply what belongs to the migration or to the service, and the settings for both."""
        rendered = kustomized(self._slot(release, slot))
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump_all([each for each in rendered if _part(each) in (part, "")], file)
            file.flush()
            self._kubectl("apply", "--filename", file.name)

    def _slot(self, release: Release, slot: str) -> Path:
        """A kustomization of the release for a slot, written into the release's own folder."""
        folder = release.folder / FOLDER / "slot"
        job = release.folder / FOLDER / "migrate" / "job.yaml"
        content = {
            "namespace": self._namespace,
            "resources": [f"../{release.environment}", *(["../migrate/job.yaml"] * job.exists())],
            "nameSuffix": f"-{slot}",
            "labels": [{"pairs": {"slot": slot}, "includeSelectors": True}],
            "images": [
                {"name": "service", "newName": self._image, "newTag": release.build.version}
            ],
        }
        folder.mkdir(exist_ok=True)
        (folder / "kustomization.yaml").write_text(json.dumps(content))
        return folder

    def _get(self, *what: str) -> dict[str, Any] | None:
        found = self._kubectl("get", *what, "--ignore-not-found", "--output", "json")
        return json.loads(found) if found.strip() else None

    def _refuse_missing_secrets(self, release: Release) -> None:
        present = (self._get("secret", "secrets") or {}).get("data", {})
        if missing := set(releases.secret_files(release).values()) - present.keys():
            found = f"{self._namespace}: the Secret `secrets` has no {', '.join(sorted(missing))}"
            create = f"kubectl -n {self._namespace} create secret generic secrets"
            fix = f"`{create} --from-file=FOLDER`"
            raise Refused(found, "a key for each secret of config/", fix)

    def _deployment(self, slot: str) -> str:
        return f"deployment/{self._name}-{slot}"

    def _command(self) -> list[str]:
        return ["kubectl", "--namespace", self._namespace]

    def _kubectl(self, *words: str) -> str:
        return shell.check_output([*self._command(), *words])


def target(environment: str) -> Kubernetes:
    """Return the environment in the cluster that kubectl points to."""
    return Kubernetes(project_name(), str(project_file.table()["image"]), environment)


def resolved_settings(root: Path, environment: str) -> dict[str, str]:
    """Return what kustomize gives to the service, by its own reading of the files in `root`."""
    rendered = kustomized(root / FOLDER / environment)
    settings: dict[str, str] = next(x["data"] for x in rendered if x["kind"] == "ConfigMap")
    return settings


def kustomized(folder: Path) -> list[dict[str, Any]]:
    """Return the manifests as kustomize renders them; config/ lies outside of its root."""
    render = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", folder]
    return list(yaml.safe_load_all(shell.check_output(render)))


def _part(manifest: dict[str, Any]) -> str:
    """Return the part that a manifest belongs to; settings belong to all."""
    return {"Job": "migrate", "ConfigMap": ""}.get(manifest["kind"], "service")
