"""The Kubernetes manifests: rendered by kubectl, validated by the published schemas.

There is no API server: deploy/kubernetes/README.md says what never ran on a cluster.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.baking import VARIANTS, generate

RENDER = """
import sys
from pathlib import Path
from vitals.ops.release.releases import Build, Release
from vitals.ops.deploy.targets import manifests
release = Release(Build("v1.2.0", "c0ffee"), Path.cwd(), sys.argv[1])
namespace = f"orders-api-{sys.argv[1]}"
found = manifests.of(release, "blue", namespace, "registry.internal/orders-api")
print(manifests.yaml.safe_dump_all(found))
"""


@pytest.fixture(scope="module", params=["full", "plain"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    return generate(folder, **VARIANTS[request.param], deploy="kubernetes")


def rendered(project: Path, environment: str) -> str:
    """The manifests of a slot as `make deploy` applies them, rendered by kubectl."""
    command = [sys.executable, "-c", RENDER, environment]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def manifests(project: Path, environment: str) -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all(rendered(project, environment))}


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_manifests_are_valid_by_the_schemas(
    project: Path, environment: str, tmp_path: Path
) -> None:
    slot, front = tmp_path / "slot.yaml", project / "deploy" / "kubernetes" / "front"
    slot.write_text(rendered(project, environment))
    validate = [Path(sys.executable).with_name("kubernetes-validate"), "--strict", slot]

    done = subprocess.run(
        [*validate, front / "service.yaml"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_parts_of_a_slot_refer_to_each_other(project: Path, environment: str) -> None:
    found = manifests(project, environment)
    deployment, job = found["Deployment"], found.get("Job")
    pod = deployment["spec"]["template"]

    assert {each["metadata"]["namespace"] for each in found.values()} == {
        f"orders-api-{environment}"
    }
    assert {each["metadata"]["name"].split("-blue")[0] for each in found.values()} <= {
        "orders-api",
        "migrate",
        "settings",
    }
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "orders-api-blue"
    assert pod["metadata"]["labels"]["slot"] == "blue"
    assert found["ConfigMap"]["data"]["APP_ENVIRONMENT"] == environment
    for each in filter(None, (deployment, job)):
        [container] = each["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "registry.internal/orders-api:v1.2.0"
        settings = container["envFrom"][0]["configMapRef"]["name"]
        assert settings == found["ConfigMap"]["metadata"]["name"]
    assert (job is None) == ("plain" in str(project))


def test_a_pod_is_as_restricted_as_the_standard_asks(project: Path) -> None:
    """Pod Security Standards, restricted."""
    for kind in {"Deployment", "Job"} & manifests(project, "production").keys():
        pod = manifests(project, "production")[kind]["spec"]["template"]["spec"]
        [container] = pod["containers"]

        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
