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
from vitals.ops.deploy.targets.kubernetes import APPLIED, Kubernetes
from vitals.ops.release.releases import Build, Release
from vitals.ops.run.shell import Finished
from vitals.ops.run.steps import Refused

Objects = dict[str, dict[str, Any]]


class Cluster:
    """Takes kubectl's place: notes each command and keeps what is applied."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.objects: Objects = {}
        self.namespace = "orders-staging"
        self.migrates = True
        self.waiting = ""  # why the pods of the next version can't start
        self.sizes: dict[str, int] = {}  # pods, where an autoscaler made more
        self.broken: Answers = {}

    def check_output(self, command: list[str | Path], _: object = None) -> str:
        words = [str(word) for word in command]
        if words[1] == "config":
            return json.dumps({"contexts": [{"context": {"namespace": self.namespace}}]})
        if words[1] == "kustomize":
            return _rendered(json.loads((Path(words[-1]) / "kustomization.yaml").read_text()))
        assert words[:3] == ["kubectl", "--namespace", "orders-staging"]
        self.ran.append(" ".join(words[3:]))
        verb: Any = getattr(self, f"_{words[3]}", lambda *_: "")
        return str(verb(*words[4:]))

    def run(self, command: list[str | Path]) -> Finished:
        try:
            return Finished(0, self.check_output(command))
        except Refused as refused:
            return Finished(1, refused.output)

    def grow(self, slot: str, pods: int) -> None:
        self.sizes[f"deployment/orders-{slot}"] = pods

    def _get(self, *words: str) -> str:
        if words[0] == "pods":
            waits = {"state": {"waiting": {"reason": self.waiting, "message": "no such image"}}}
            pod = {"metadata": {"name": "orders-1"}, "status": {"containerStatuses": [waits]}}
            return json.dumps({"items": [pod] if self.waiting else []})
        name = "/".join(word for word in words if not word.startswith("-") and word != "json")
        if found := self.objects.get(name.replace("hpa/", "horizontalpodautoscaler/")):
            return json.dumps({**found, "status": self._status(name, found)})
        return ""

    def _status(self, name: str, found: dict[str, Any]) -> dict[str, int]:
        if found.get("kind") == "Job":
            return {"succeeded": 1} if self.migrates else {"failed": 1}
        if self.waiting and found.get("image") == "v2":
            return {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 0}
        scaler = self.objects.get(name.replace("deployment/", "horizontalpodautoscaler/"), {})
        size = max(self.sizes.get(name, 2), scaler.get("spec", {}).get("minReplicas", 1))
        return {"replicas": size, "updatedReplicas": size, "availableReplicas": size}

    def _create(self, *_: str) -> str:
        selector = {"part": "service", "slot": "none"}
        self.objects["service/orders"] = {
            "metadata": {"name": "orders", "resourceVersion": "1"},
            "spec": {"selector": selector},
        }
        return ""

    def _apply(self, _: str, file: str) -> str:
        for manifest in yaml.safe_load_all(Path(file).read_text()):
            applied = {APPLIED: json.dumps(manifest)}
            manifest["metadata"] = {**manifest["metadata"], "annotations": applied}
            name = f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"
            self.objects[name] = manifest
        return ""

    def _patch(self, kind: str, name: str, *words: str) -> str:
        change = json.loads(words[-1].removeprefix("--patch="))
        if kind == "hpa":
            self.objects[f"horizontalpodautoscaler/{name}"]["spec"] |= change["spec"]
            return ""
        service = self.objects["service/orders"]
        version = service["metadata"]["resourceVersion"]
        if change["metadata"].pop("resourceVersion") != version:
            raise Refused("conflict", output="the object has been modified")
        service["metadata"] |= {**change["metadata"], "resourceVersion": f"{int(version) + 1}"}
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
    [image] = slot["images"]
    names = {"ConfigMap": "settings", "Deployment": "orders", "Job": "migrate"}
    names["HorizontalPodAutoscaler"] = "orders"
    return yaml.safe_dump_all(
        {
            "kind": kind,
            "metadata": {"name": name + slot["nameSuffix"]},
            "image": image.get("newTag") or image["digest"],
            "spec": {"minReplicas": 2},
        }
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
        "vitals.ops.release.releases.unpacked", lambda build, *_: release(build.version, tmp_path)
    )
    return cluster


def release(version: str, folder: Path) -> Release:
    files = folder / version
    for name in ("config", "migrations", "deploy/kubernetes/migrate"):
        (files / name).mkdir(parents=True, exist_ok=True)
    (files / "config" / "staging.env").write_text("")
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
    lease, *verbs = verbs
    assert lease == "apply"
    assert verbs[:4] == ["create", "apply", "apply", "patch"]
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


def test_before_the_switch_the_idle_side_is_as_large_as_the_live_one_and_small_again_afterwards(
    cluster: Cluster, place: Kubernetes, tmp_path: Path
) -> None:
    deploy.deploy(place, release("v1", tmp_path))
    cluster.grow("blue", 7)
    cluster.ran.clear()

    deploy.deploy(place, release("v2", tmp_path))

    [switched] = [n for n, line in enumerate(cluster.ran) if line.startswith("patch service")]
    sizes = [n for n, line in enumerate(cluster.ran) if '"minReplicas": 7' in line]
    assert [cluster.ran[n].split()[2] for n in sizes] == ["orders-blue", "orders-green"]
    assert max(sizes) < switched
    after = [cluster.objects[f"horizontalpodautoscaler/orders-{s}"]["spec"] for s in place.slots]
    assert after == [{"minReplicas": 2}, {"minReplicas": 2}]


def test_a_rollback_grows_the_side_that_it_goes_back_to(
    cluster: Cluster, place: Kubernetes, tmp_path: Path
) -> None:
    for version in ("v1", "v2"):
        deploy.deploy(place, release(version, tmp_path))
    cluster.grow("green", 5)

    deploy.rollback(place, "staging", lambda _: True)

    assert cluster.objects["horizontalpodautoscaler/orders-blue"]["spec"] == {"minReplicas": 5}


def test_an_image_that_is_missing_is_told_at_once_with_the_reason(
    cluster: Cluster, place: Kubernetes, tmp_path: Path
) -> None:
    deploy.deploy(place, release("v1", tmp_path))
    cluster.waiting = "ImagePullBackOff"

    with pytest.raises(Refused, match="stopped at start"):
        deploy.deploy(place, release("v2", tmp_path))

    assert deploy.live(place)[-1].version == "v1"


def test_somebody_who_deploys_meanwhile_is_noticed_and_named(
    cluster: Cluster, place: Kubernetes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy.deploy(place, release("v1", tmp_path))
    started = place.start

    def start(release: Release, slot: str) -> None:
        started(release, slot)
        about = cluster.objects["service/orders"]["metadata"]
        about |= {"resourceVersion": "17", "annotations": {"trail": place.state()[1] + " "}}
        cluster.objects["lease/deployment"] = {"spec": {"holderIdentity": "ada@host"}}

    place.start = start  # type: ignore[method-assign]
    with pytest.raises(Refused, match="stopped at switch"):
        deploy.deploy(place, release("v2", tmp_path))

    assert "changed meanwhile, by ada@host" in capsys.readouterr().out
    assert deploy.live(place)[-1].version == "v1"


def test_another_change_of_the_service_meanwhile_does_not_matter(
    cluster: Cluster, place: Kubernetes, tmp_path: Path
) -> None:
    deploy.deploy(place, release("v1", tmp_path))
    place.state()
    cluster.objects["service/orders"]["metadata"]["resourceVersion"] = "17"

    assert deploy.deploy(place, release("v2", tmp_path)).version == "v2"


def test_the_context_of_another_environment_is_refused(cluster: Cluster, place: Kubernetes) -> None:
    cluster.namespace = "orders-production"

    with pytest.raises(Refused, match="set-context --current --namespace=orders-staging"):
        place.alone().__enter__()


def test_who_deploys_stands_in_a_lease(cluster: Cluster, place: Kubernetes) -> None:
    with place.alone():
        assert "since 20" in cluster.objects["lease/deployment"]["spec"]["holderIdentity"]


def test_an_image_by_digest_is_what_the_pods_get(
    cluster: Cluster, place: Kubernetes, tmp_path: Path
) -> None:
    cluster.broken = {"/health": (200, {"version": "v1", "releaseId": "commit-of-v1"})}
    pinned = release("v1", tmp_path)._replace(image="registry.internal/orders@sha256:0a")

    deploy.deploy(place, pinned)

    assert cluster.objects["deployment/orders-blue"]["image"] == "sha256:0a"
    assert deploy.live(place)[-1].image == "registry.internal/orders@sha256:0a"
