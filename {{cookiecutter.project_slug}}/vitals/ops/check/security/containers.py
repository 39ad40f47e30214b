"""Which containers do the files in deploy/ describe, and how are they held?

One shape for services and for the containers of pods.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MANIFEST = re.compile(r"^(services|kind):", re.MULTILINE)


@dataclass(frozen=True)
class Container:
    where: str
    image: str
    non_root: bool
    read_only: bool
    without_capabilities: bool
    without_escalation: bool
    limited: bool
    close_to_the_host: bool  # privileged, in its network, or with the engine's socket


def found(root: Path) -> list[Container]:
    """All containers, of whatever kind of manifest is there."""
    containers: list[Container] = []
    for file in sorted((root / "deploy").rglob("*.y*ml")):
        where, text = str(file.relative_to(root)), file.read_text(encoding="utf-8")
        if not MANIFEST.search(text):
            continue
        for document in yaml.safe_load_all(text):
            if isinstance(document, dict) and "services" in document:
                services = document["services"].items()
                containers += [_service(f"{where}: {name}", told) for name, told in services]
            elif isinstance(document, dict) and "kind" in document:
                containers += _pods(f"{where}: {document['kind']}", document)
    return containers


def _service(where: str, told: dict[str, Any]) -> Container:
    image = str(told.get("image", ""))
    mounts = " ".join(map(str, told.get("volumes", ())))
    host = "host" in (told.get("network_mode"), told.get("pid"), told.get("ipc"))
    return Container(
        where,
        image,
        non_root=str(told.get("user", "")) not in ("0", "root", "0:0"),
        read_only=told.get("read_only") is True,
        without_capabilities=told.get("cap_drop") == ["ALL"],
        without_escalation="no-new-privileges:true" in told.get("security_opt", ()),
        limited="mem_limit" in told and "pids_limit" in told,
        close_to_the_host=bool(told.get("privileged")) or host or "docker.sock" in mounts,
    )


def _pods(where: str, document: dict[str, Any]) -> Iterator[Container]:
    spec = document.get("spec", {})
    if document["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod = spec.get("template", {}).get("spec", {})
    of_pod = pod.get("securityContext", {})
    for told in pod.get("initContainers", []) + pod.get("containers", []):
        context = of_pod | told.get("securityContext", {})
        yield Container(
            f"{where}: {told['name']}",
            str(told.get("image", "")),
            non_root=context.get("runAsNonRoot") is True,
            read_only=context.get("readOnlyRootFilesystem") is True,
            without_capabilities=context.get("capabilities", {}).get("drop") == ["ALL"],
            without_escalation=context.get("allowPrivilegeEscalation") is False,
            limited="memory" in told.get("resources", {}).get("limits", {}),
            close_to_the_host=bool(pod.get("hostNetwork") or context.get("privileged")),
        )
