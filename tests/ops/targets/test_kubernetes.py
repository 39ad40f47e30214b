"""The deployment against a kubectl that only records. No API server took part in these tests."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ops.place import SLO, Answers, answering
from vitals.ops.deploy import deploy
from vitals.ops.deploy.targets.kubernetes import Kubernetes
from vitals.ops.release.releases import Build, Release
from vitals.ops.run.shell import Finished
from vitals.ops.run.steps import Refused

Objects = dict[str, dict[str, Any]]


class Cluster:
    """Takes kubectl's place: notes each command and keeps what is applied."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.objects: Objects = {"secret/secrets": {"data": {"ops_token": "eA=="}}}
        self.migrates = True
        self.broken: Answers = {}

    def check_output(self, command: list[str | Path], _: object = None) -> str:
        words = [str(word) for word in command]
        if words[1] == "kustomize":
            return _rendered(json.loads((Path(words[-1]) / "kustomization.yaml").read_text()))
        assert words[:3] == ["kubectl", "--namespace", "orders-staging"]
        self.ran.append(" ".join(words[3:]))
        verb: Any = getattr(self, f"_{words[3]}", lambda *_: "")
        return str(verb(*words[4:]))

    def run(self, command: list[str | Path]) -> Finished:
        return Finished(0, self.check_output(command))

    def _get(self, *words: str) -> str:
        name = "/".join(word for word in words if not word.startswith("-") and word != "json")
        found = self.objects.get(name)
        return json.dumps(found) if found else ""

    def _create(self, *_: str) -> str:
        selector = {"part": "service", "slot": "none"}
        self.objects["service/orders"] = {
            "metadata": {"name": "orders"},
            "spec": {"selector": selector},
        }
        return ""

    def _apply(self, _: str, file: str) -> str:
        for manifest in yaml.safe_load_all(Path(file).read_text()):
            outcome = {"succeeded": 1} if self.migrates else {"failed": 1}
            status = outcome if manifest["kind"] == "Job" else {"availableReplicas": 2}
            name = f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"
            self.objects[name] = {**manifest, "status": status}
        return ""

    def _patch(self, *words: str) -> str:
        change = json.loads(words[-1].removeprefix("--patch="))
        service = self.objects["service/orders"]
        service["metadata"] |= change["metadata"]
        service["spec"]["selector"] |= change["spec"]["selector"]
        return ""

    def _delete(self, kinds: str, _: str, selector: str, *__: str) -> str:
        slot = selector.removeprefix("slot=")
        gone = [n for n in self.objects if n.endswith(f"-{slot}") and n.split("/")[0] in kinds]
        for name in gone:
            del self.objects[name]
        return ""

    @contextmanager
    def reach(self, slot: str) -> Iterator[str]:
        image = self.objects[f"deployment/orders-{slot}"]["image"]
        with answering(Build(image, f"commit-of-{image}"), self.broken) as url:
            yield url


def _rendered(slot: dict[str, Any]) -> str:
    """What matters of the manifests of a slot."""
    image, suffix = slot["images"][0]["newTag"], slot["nameSuffix"]
    names = {"ConfigMap": "settings", "Deployment": "orders", "Job": "migrate"}
    return yaml.safe_dump_all(
        {"kind": kind, "metadata": {"name": name + suffix}, "image": image}
        for kind, name in names.items()
    )


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    cluster = Cluster()
    monkeypatch.setattr("vitals.ops.run.shell.check_output", cluster.check_output)
    monkeypatch.setattr("vitals.ops.run.shell.run", cluster.run)
    monkeypatch.setattr(
        "vitals.ops.deploy.targets.kubernetes.Kubernetes.reach", lambda _, s: cluster.reach(s)
    )
    monkeypatch.setattr(
        "vitals.ops.release.releases.unpacked", lambda build, _: release(build.version, tmp_path)
    )
    return cluster


def release(version: str, folder: Path) -> Release:
    files = folder / version
    for name in ("config", "migrations", "deploy/kubernetes/migrate"):
        (files / name).mkdir(parents=True, exist_ok=True)
    (files / "config" / "staging.env").write_text("APP_OPS_TOKEN=secret://ops_token\n")
    (files / "deploy" / "kubernetes" / "migrate" / "job.yaml").write_text("")
    (files / "config" / "slo.toml").write_text(SLO)
    return Release(Build(version, f"commit-of-{version}"), files, "staging")


@pytest.fixture
def place() -> Kubernetes:
    return Kubernetes("orders", "registry.internal/orders", "staging")


def test_the_schema_is_brought_forward_before_the_service_starts_and_then_traffic_moves(
    cluster: Cluster, place: Kubernetes, tmp_path: Path
) -> None:
    deploy.deploy(place, release("v1", tmp_path))

    verbs = [line.split()[0] for line in cluster.ran if line.split()[0] not in ("get", "delete")]
    assert verbs == ["create", "apply", "apply", "rollout", "patch"]
    assert place.state()[0] == "blue"


def test_the_old_slot_is_kept_and_the_way_back_is_one_patch(
    cluster: Cluster, place: Kubernetes, tmp_path: Path
) -> None:
    for version in ("v1", "v2"):
        deploy.deploy(place, release(version, tmp_path))
    assert {"deployment/orders-blue", "deployment/orders-green"} <= cluster.objects.keys()
    cluster.ran.clear()

    deploy.rollback(place, "staging", lambda _: True)

    assert deploy.live(place)[-1].version == "v1"
    assert [line.split()[0] for line in cluster.ran if not line.startswith("get")] == ["patch"]


def test_a_bad_build_gets_no_traffic_and_its_slot_is_cleared(
    cluster: Cluster, place: Kubernetes, tmp_path: Path
) -> None:
    deploy.deploy(place, release("v1", tmp_path))
    cluster.broken = {"/items": (500, {})}

    with pytest.raises(Refused, match="stopped at smoke"):
        deploy.deploy(place, release("v2", tmp_path))

    assert deploy.live(place)[-1].version == "v1"
    assert "deployment/orders-green" not in cluster.objects
    assert "deployment/orders-blue" in cluster.objects


def test_a_migration_that_fails_stops_the_deployment(
    cluster: Cluster, place: Kubernetes, tmp_path: Path
) -> None:
    cluster.migrates = False

    with pytest.raises(Refused, match="stopped at migrate"):
        deploy.deploy(place, release("v1", tmp_path))

    assert "deployment/orders-blue" not in cluster.objects


def test_a_missing_secret_is_named_before_anything_is_created(
    cluster: Cluster, place: Kubernetes, tmp_path: Path
) -> None:
    cluster.objects = {}

    with pytest.raises(Refused, match="has no ops_token"):
        deploy.deploy(place, release("v1", tmp_path))

    assert cluster.objects == {}
