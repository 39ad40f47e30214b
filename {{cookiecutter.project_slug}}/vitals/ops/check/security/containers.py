"""The containers that the files in deploy/ describe: Compose services and those of pods."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MANIFEST = re.compile(r"^(services|kind):", re.MULTILINE)
ROOT_USERS = ("0", "root")


@dataclass(frozen=True)
class Container:
    where: str
    image: str
    non_root: bool
    read_only: bool
    without_capabilities: bool
    without_escalation: bool
    limited: bool
    close_to_the_host: bool  # privileged, in its namespaces, or with its files


def found(folder: Path) -> Iterator[Container]:
    """All containers, of whatever kind of manifest is there."""
    for file in sorted(folder.rglob("*.y*ml")):
        where, text = str(file.relative_to(folder.parent)), file.read_text(encoding="utf-8")
        documents = yaml.safe_load_all(text) if MANIFEST.search(text) else ()
        for document in documents:
            if isinstance(document, dict) and "services" in document:
                for name, service in document["services"].items():
                    yield _service(f"{where}: {name}", service)
            elif isinstance(document, dict) and "kind" in document:
                yield from _pod(f"{where}: {document['kind']}", document)


def _service(where: str, service: dict[str, Any]) -> Container:
    mounts = " ".join(map(str, service.get("volumes", ())))
    host = "host" in (service.get("network_mode"), service.get("pid"), service.get("ipc"))
    return Container(
        where,
        str(service.get("image", "")),
        non_root=str(service.get("user", "")).split(":")[0] not in ROOT_USERS,
        read_only=service.get("read_only") is True,
        without_capabilities=service.get("cap_drop") == ["ALL"],
        without_escalation="no-new-privileges:true" in service.get("security_opt", ()),
        limited={"mem_limit", "pids_limit", "cpus"} <= service.keys(),
        close_to_the_host=bool(service.get("privileged")) or host or "docker.sock" in mounts,
    )


def _pod(where: str, document: dict[str, Any]) -> Iterator[Container]:
    spec = document.get("spec") or {}
    if document["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod = spec if document["kind"] == "Pod" else spec.get("template", {}).get("spec", {})
    host = any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC"))
    host = host or any("hostPath" in volume for volume in pod.get("volumes", ()))
    for container in [*pod.get("initContainers", ()), *pod.get("containers", ())]:
        context = pod.get("securityContext", {}) | container.get("securityContext", {})
        resources = container.get("resources", {})
        limits = resources.get("limits", {})
        yield Container(
            f"{where}: {container['name']}",
            str(container.get("image", "")),
            non_root=context.get("runAsNonRoot") is True and context.get("runAsUser") != 0,
            read_only=context.get("readOnlyRootFilesystem") is True,
            without_capabilities=context.get("capabilities", {}).get("drop") == ["ALL"],
            without_escalation=context.get("allowPrivilegeEscalation") is False,
            limited="memory" in limits and "cpu" in resources.get("requests", {}) | limits,
            close_to_the_host=host or bool(context.get("privileged")),
        )
