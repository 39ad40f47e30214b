"""The watch of three pods, by what their /metrics say, against a kubectl that only records."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.ops.place import answering
from tests.ops.targets.test_kubernetes import Cluster, release
from tests.ops.test_samples import text
from vitals.ops.deploy import deploy, watch_rule
from vitals.ops.deploy.targets.kubernetes import Kubernetes
from vitals.ops.release.releases import Build
from vitals.ops.run.steps import Refused

PODS = ("a", "b", "c")
QUICK, SLOW, FAILED = (
    ("GET", "/items", 200, 0.02, 1),
    ("GET", "/items", 200, 0.4, 1),
    ("GET", "/items", 500, 0.02, 1),
)


class WatchedCluster(Cluster):
    """Three pods in each slot, which answer 30 more requests at each look."""

    def __init__(self) -> None:
        super().__init__()
        self.odd: dict[str, tuple[str, str, int, float, int]] = {}  # what a pod answers instead
        self._looks = {
            f"orders-{slot}-{pod}": count(1) for slot in Kubernetes.slots for pod in PODS
        }
        self.objects["secret/operators"] = {"data": {"ops_token": "bGV0bWVpbg=="}}

    def _get(self, *words: str) -> str:
        if words[0] != "pods" or "part=service" not in words[2]:
            return super()._get(*words)
        slot = words[2].rpartition("=")[2]
        pods = [self._pod(f"orders-{slot}-{pod}") for pod in PODS]
        leaving, pending = self._pod("leaving"), self._pod("pending")
        leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        pending["status"]["phase"] = "Pending"
        return json.dumps({"items": [*pods, leaving, pending]})

    def _pod(self, name: str) -> dict[str, Any]:
        container = {"resources": {"limits": {"memory": "16Gi"}}}
        status = {"phase": "Running", "containerStatuses": list[object]()}
        return {"metadata": {"name": name}, "spec": {"containers": [container]}, "status": status}

    @contextmanager
    def forward(self, what: str) -> Iterator[str]:
        pod = what.removeprefix("pod/")
        requests = 30 * next(self._looks[pod])
        said = text(*[self.odd.get(pod, QUICK)] * requests)
        with answering(Build("v2", "c0ffee"), {"/metrics": (200, said)}) as url:
            yield url


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WatchedCluster:
    """Three pods of v1, which are live."""
    cluster = WatchedCluster()
    kubernetes = "vitals.ops.deploy.targets.kubernetes.Kubernetes.reach"
    kubectl = "vitals.ops.deploy.targets.kubectl.Kubectl.forward"
    monkeypatch.setattr("vitals.ops.run.shell.check_output", cluster.check_output)
    monkeypatch.setattr("vitals.ops.run.shell.run", cluster.run)
    monkeypatch.setattr(kubernetes, lambda _, slot: cluster.reach(slot))
    monkeypatch.setattr(kubectl, lambda _, what: cluster.forward(what))
    monkeypatch.setattr(
        "vitals.ops.release.releases.unpacked", lambda build, *_: release(build.version, tmp_path)
    )
    monkeypatch.setattr("vitals.ops.deploy.watch.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("vitals.ops.deploy.watch.WINDOW_SECONDS", 0)
    # The slow answers of the first 15 s do not count, and these looks are all over by then.
    monkeypatch.setattr(
        "vitals.ops.deploy.watch_rule.RULES",
        [(rule, need, 0) for rule, need, _ in watch_rule.RULES],
    )
    deploy.deploy(place(), release("v1", tmp_path))
    return cluster


def place() -> Kubernetes:
    return Kubernetes("orders", "registry.internal/orders", "staging")


def test_three_good_pods_stay(cluster: WatchedCluster, tmp_path: Path) -> None:
    entry = deploy.deploy(place(), release("v2", tmp_path), 0.02)

    assert (entry.version, entry.watch) == ("v2", {"complete": True})
    assert cluster.objects["service/orders"]["spec"]["selector"]["slot"] == "green"


@pytest.mark.parametrize(
    ("odd", "sentence"), [(SLOW, "took more than 250 ms"), (FAILED, "failed; before, 0 of")]
)
def test_one_pod_that_is_slow_or_fails_takes_the_version_back(
    odd: tuple[str, str, int, float, int],
    sentence: str,
    cluster: WatchedCluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster.odd = {"orders-green-b": odd}

    with pytest.raises(Refused, match=f"v2 went back to v1, .*/items: .* {sentence}"):
        deploy.deploy(place(), release("v2", tmp_path), 1)

    last = deploy.live(place())[-1]
    assert (last.version, last.left) == ("v1", "v2")
    assert "90 requests of v1" in capsys.readouterr().out, "the three pods are added up"


@pytest.mark.usefixtures("cluster")
def test_pods_that_leave_or_wait_are_none_and_each_has_its_limit() -> None:
    with place().replicas("blue") as replicas:
        names = [replica.name for replica in replicas]
        limits = {replica.limit_bytes for replica in replicas}

    assert names == [f"orders-blue-{pod}" for pod in PODS]
    assert limits == {16 << 30}


@pytest.mark.usefixtures("cluster")
def test_the_operators_token_is_the_services_own() -> None:
    assert place().token("ops_token") == "letmein"
