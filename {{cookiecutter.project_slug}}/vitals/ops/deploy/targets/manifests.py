"""Manifests of a slot, as kustomize renders those of a release."""

import json
from pathlib import Path
from typing import Any

import yaml

from vitals.ops.release.releases import Release
from vitals.ops.run import shell

FOLDER = Path("deploy", "kubernetes")


def of(release: Release, slot: str, namespace: str, image: str) -> list[dict[str, Any]]:
    """Render the release for a slot, with the image by digest, or else by the version's tag."""
    folder = release.folder / FOLDER / "slot"
    job = release.folder / FOLDER / "migrate" / "job.yaml"
    name, _, digest = release.image.partition("@")
    tagged = {"newName": image, "newTag": release.build.version}
    content = {
        "namespace": namespace,
        "resources": [f"../{release.environment}", *(["../migrate/job.yaml"] * job.exists())],
        "nameSuffix": f"-{slot}",
        "labels": [{"pairs": {"slot": slot}, "includeSelectors": True}],
        "images": [
            {"name": "service", **({"newName": name, "digest": digest} if digest else tagged)}
        ],
    }
    folder.mkdir(exist_ok=True)
    (folder / "kustomization.yaml").write_text(json.dumps(content))
    return kustomized(folder)


def kustomized(folder: Path) -> list[dict[str, Any]]:
    """Return the manifests as kustomize renders them; config/ lies outside of its root."""
    render = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", folder]
    return list(yaml.safe_load_all(shell.check_output(render)))


def part(manifest: dict[str, Any]) -> str:
    """Return the part that a manifest belongs to; settings belong to all."""
    return {"Job": "migrate", "ConfigMap": ""}.get(manifest["kind"], "service")
