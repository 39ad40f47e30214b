"""Kubernetes as a target: two slots; the Service's selector says which is live.

deploy/kubernetes holds the manifests; a slot adds its name, the image and the environment. The
history is an annotation of the Service, so that one patch changes both.
"""

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from vitals.ops.deploy import history
from vitals.ops.deploy.history import Entry
from vitals.ops.deploy.targets import Replica, kubectl, manifests, project_name
from vitals.ops.deploy.targets.kubectl import Kubectl
from vitals.ops.deploy.targets.manifests import FOLDER
from vitals.ops.release.releases import Release
from vitals.ops.run import project_file
from vitals.ops.run.steps import Refused

VERSION = ["kubectl", "version", "--client"]
HISTORY = "trail"  # the annotation of live environments keeps its name
LEASE = "deployment"  # says who changes the environment; what decides is the Service's version
ROLLOUT_SECONDS, MIGRATION_SECONDS = 180, 330
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NO_SERVICE: dict[str, Any] = {"spec": {"selector": {}}, "metadata": {}}
KINDS = "deployment,hpa,pdb,networkpolicy,job,configmap"


class Kubernetes:
    """One environment: a namespace of its own, in the cluster that kubectl points to."""

    slots = ("blue", "green")
    releases: Path | None = None

    def __init__(self, name: str, image: str, environment: str) -> None:
        self._name = name
        self._image = image
        self._namespace = f"{name}-{environment}"
        self._kubectl = Kubectl(self._namespace)
        self._read = ""  # the version of the Service that all we do relies on
        self._found = ("", "")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Refuse another environment's context, and say in a Lease who we are.

        Another command is noticed at the switch: the Service has a newer version then.
        """
        if (namespace := kubectl.namespace()) != self._namespace:
            fix = f"`kubectl config set-context --current --namespace={self._namespace}`"
            expected = f"the context of {self._namespace}"
            raise Refused(f"kubectl's context is for the namespace {namespace}", expected, fix)
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE},
            "spec": {"holderIdentity": f"{history.user()} since {history.now()}"},
        }
        self._kubectl.apply([lease])
        yield

    def open(self, release: Release) -> None:
        if self._kubectl.get("service", self._name) is None:
            self._kubectl.check("create", "--filename", str(release.folder / FOLDER / "front"))

    def state(self) -> tuple[str, str]:
        service = self._kubectl.get("service", self._name) or NO_SERVICE
        slot = str(service["spec"]["selector"].get("slot", "none"))
        text = service["metadata"].get("annotations", {}).get(HISTORY, "")
        found = ("", "") if slot == "none" else (slot, str(text))
        if not self._read or found == self._found:  # other changes of the Service do not matter
            self._read, self._found = str(service["metadata"].get("resourceVersion", "")), found
        return found

    def prepare(self, release: Release) -> str:
        return f"{release.image or f'{self._image}:{release.build.version}'} is pulled by the pods"

    def migrate(self, release: Release) -> None:
        slot = next(slot for slot in self.slots if slot != self.state()[0])
        self._kubectl.check("delete", "job", "--selector", f"slot={slot}", "--ignore-not-found")
        self._apply(release, slot, "migrate")

        def ended() -> bool:
            status = (self._kubectl.get("job", f"migrate-{slot}") or {}).get("status", {})
            if status.get("failed"):
                log = self._kubectl.check("logs", f"job/migrate-{slot}", "--tail", "30")
                raise Refused("the migration failed", output=log)
            return bool(status.get("succeeded"))

        self._kubectl.wait(ended, slot, MIGRATION_SECONDS)

    def start(self, release: Release, slot: str) -> None:
        self._apply(release, slot, "service")
        self._kubectl.wait(
            lambda: self._ready(slot) >= max(1, self._wanted(slot)), slot, ROLLOUT_SECONDS
        )

    def running(self, slot: str) -> bool:
        found = self._kubectl.get(self._deployment(slot))
        return bool(found and found["status"].get("availableReplicas"))

    def reach(self, slot: str) -> AbstractContextManager[str]:
        return self._kubectl.forward(self._deployment(slot))

    @contextmanager
    def replicas(self, slot: str) -> Iterator[list[Replica]]:
        with ExitStack() as stack:
            found = list[Replica]()
            for name, limit in self._kubectl.pods(slot):
                with suppress(Refused):  # it has gone meanwhile
                    url = stack.enter_context(self._kubectl.forward(f"pod/{name}"))
                    found.append(Replica(name, url, limit))
            yield found

    def token(self, file: str) -> str:
        data = (self._kubectl.get("secret", "operators") or {}).get("data", {})
        return b64decode(data.get(file, "")).decode()

    def log(self, slot: str, containing: str = "") -> str:
        return self._kubectl.log(slot, containing)

    def stop(self, slot: str) -> None:
        self._kubectl.check("delete", KINDS, "--selector", f"slot={slot}", "--ignore-not-found")

    def switch(self, slot: str, history: str) -> None:
        live, _ = self.state()
        if live and live != slot:
            self._grow(live, slot)
        version = {"resourceVersion": self._read} if self._read else {}
        change = {
            "metadata": {"annotations": {HISTORY: history}, **version},
            "spec": {"selector": {"slot": slot}},
        }
        patch = ("--type=merge", f"--patch={json.dumps(change)}")
        patched = self._kubectl.run("patch", "service", self._name, *patch)
        if patched.code:
            spec = (self._kubectl.get("lease", LEASE) or {}).get("spec", {})
            found = (
                f"the Service was changed meanwhile, by {spec.get('holderIdentity', 'somebody')}"
            )
            raise Refused(found, fix="`make live`, then repeat the command", output=patched.output)
        self._read = ""

    def tidy(self, _: Sequence[Entry]) -> None:
        """Give the autoscalers back what their manifests say."""
        for slot in self.slots:
            if scaler := self._kubectl.get("hpa", f"{self._name}-{slot}"):
                applied = json.loads(scaler["metadata"].get("annotations", {}).get(APPLIED, "{}"))
                if minimum := applied.get("spec", {}).get("minReplicas"):
                    self._set_minimum(slot, minimum)

    def _grow(self, live: str, slot: str) -> None:
        """Bring the slot to the size of the live one, which neither shrinks until `tidy`."""
        count = self._ready(live)
        for each in (live, slot):
            scaler = self._kubectl.get("hpa", f"{self._name}-{each}")
            if scaler and scaler["spec"].get("minReplicas", 1) < count:
                self._set_minimum(each, count)
        self._kubectl.wait(lambda: self._ready(slot) >= count, slot, ROLLOUT_SECONDS)

    def _set_minimum(self, slot: str, replicas: int) -> None:
        change = f"--patch={json.dumps({'spec': {'minReplicas': replicas}})}"
        self._kubectl.check("patch", "hpa", f"{self._name}-{slot}", "--type=merge", change)

    def _ready(self, slot: str) -> int:
        """Return how many pods of the applied version are ready."""
        found = self._kubectl.get(self._deployment(slot)) or {"status": {}}
        status, made = found["status"], found.get("metadata", {}).get("generation", 0)
        if status.get("observedGeneration", made) < made:
            return 0
        old = status.get("replicas", 0) - status.get("updatedReplicas", status.get("replicas", 0))
        return max(0, int(status.get("availableReplicas", 0)) - int(old))

    def _wanted(self, slot: str) -> int:
        scaler = self._kubectl.get("hpa", f"{self._name}-{slot}") or {"spec": {}}
        return int(scaler["spec"].get("minReplicas", 1))

    def _apply(self, release: Release, slot: str, part: str) -> None:
        """Apply what belongs to the migration or to the service, and the settings for both."""
        rendered = manifests.of(release, slot, self._namespace, self._image)
        self._kubectl.apply([each for each in rendered if manifests.part(each) in (part, "")])

    def _deployment(self, slot: str) -> str:
        return f"deployment/{self._name}-{slot}"


def target(environment: str) -> Kubernetes:
    return Kubernetes(project_name(), str(project_file.table()["image"]), environment)


def resolved_settings(root: Path, environment: str) -> dict[str, str]:
    """Return what kustomize gives to the service, by its own reading of the files in `root`."""
    rendered = manifests.kustomized(root / FOLDER / environment)
    settings: dict[str, str] = next(x["data"] for x in rendered if x["kind"] == "ConfigMap")
    return settings
