"""Containers, as Compose files and Kubernetes manifests describe them: what each of them may do.

A pod is looked for wherever there are `containers`. One without an image is a patch: what it leaves
out is elsewhere.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from vitals.ops.check.security import manifests
from vitals.ops.check.security.checklist import check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.check.security.manifests import facts, mappings
from vitals.ops.check.security.tools import Found

NEVER = "(?!)"


class Row(NamedTuple):
    id: str
    title: str
    expected: str
    fix: str
    needed: dict[str, str]  # a name for it, and the facts of which each container has one
    wrong: str = NEVER  # the facts that no container has
    anywhere: str = NEVER  # those that no document has


ROWS = (
    Row(
        "SEC-611",
        "No container runs as root; Caddy's may, which listens on the ports of the web",
        "another user than root",
        "set user, or runAsNonRoot: true",
        {"user": "user|securityContext.runAsNonRoot|image=caddy:.*"},
        r"user=(0+|root|\$.*|)(:.*)?|group_add=(0|root|docker)"
        r"|securityContext\.(runAsNonRoot=(?!true).*|runAs(User|Group)=0)",
    ),
    Row(
        "SEC-612",
        "No container can change its own files",
        "a read-only file system",
        "read_only: true, or readOnlyRootFilesystem: true",
        {"read_only": "read_only|securityContext.readOnlyRootFilesystem"},
        r"(read_only|securityContext\.readOnlyRootFilesystem)=(?!true).*",
    ),
    Row(
        "SEC-613",
        "Containers drop all capabilities, and add none but that to listen on a low port",
        "ALL dropped",
        "cap_drop: [ALL], or capabilities: {drop: [ALL]}",
        {"capabilities": "(cap_drop|securityContext.capabilities.drop)=ALL"},
        r"(cap_add|securityContext\.capabilities\.add)=(?!(CAP_)?NET_BIND_SERVICE$|\[\]).*",
    ),
    Row(
        "SEC-614",
        "Containers can't gain privileges, and their system calls are filtered",
        "both",
        "no-new-privileges:true, or allowPrivilegeEscalation: false and a seccompProfile",
        {
            "escalation": "security_opt=no-new.*|securityContext.allowPrivilegeEscalation",
            "seccompProfile": "of=compose|securityContext.seccompProfile.type",
        },
        r"security_opt=.*(unconfined|disable|[:=]false).*"
        r"|securityContext\.allowPrivilegeEscalation=(?!false).*",
        r"(?!services).*=(?i:unconfined|unmasked)|.*(securityContext|seccompProfile)=(None|removed)",
    ),
    Row(
        "SEC-615",
        "Containers have limits of memory, CPU and processes",
        "limits",
        "mem_limit, cpus and pids_limit; or resources",
        {
            "memory": "mem_limit|deploy.resources.limits.memory|resources.limits.memory",
            "cpu": "cpus|deploy.resources.limits.cpus|resources.(requests|limits).cpu",
            "processes": "of=pod|pids_limit|deploy.resources.limits.pids",
        },
        r"(mem_limit|cpus|pids_limit|.*\.limits\.\w+)=(-.*|0+(\.0+)?[a-z]?|None)",
        r".*(resources|limits)=(None|removed)",
    ),
    Row(
        "SEC-616",
        "No container is privileged, or has files, devices or namespaces of the host",
        "what is its own",
        "remove it",
        {},
        r"privileged=true|(devices|device_cgroup_rules|gpus|use_api_socket|volumes_from)[.=].*"
        r"|(network_mode|pid|ipc|uts|userns_mode|cgroup)=(host|container:).*"
        r"|volumes=(?!\.\.?/(?!\.\.)[^:]*:[^:]+:ro\b)[/~.:$].*:.*|securityContext\.privileged=true",
        r"(.*\.)?(hostPath\.path|hostPort|volumeDevices\.\w+)=.*|(?!services).*(docker|containerd|crio|podman)\.sock"
        r"|(.*\.)?(hostProcess|host(Network|PID|IPC))=true|networks\.[^.]+\.(name|driver)=host"
        r"|volumes\.[^.]+\.driver_opts\.device=[/~.].*",
    ),
    Row(
        "SEC-617",
        "No container has a token or the right to change the cluster",
        "neither",
        "automountServiceAccountToken: false; name verbs and resources",
        {"token": "of=compose|automountServiceAccountToken"},
        NEVER,
        r"(.*\.)?(automountServiceAccountToken=true|serviceAccountToken\..*|rules\.\w+=\*"
        r"|roleRef\.name=(cluster-admin|admin|edit))",
    ),
    Row(
        "SEC-618",
        "Only the web's ports are open to the network, and no server without a password",
        "80 and 443",
        "publish it on 127.0.0.1, or not at all",
        {},
        r"ports=(?!\[\]|127\.0\.0\.1:|\[?::1\]?:)(?!(.*:)?(80|443)(/\w+)?$).*",
        r"spec\.ports\.port=(?!(?:80|443)$)\d+(?=(?:\n.*)*\nspec\.type=(?:LoadBalancer|NodePort)\n)"
        r"|spec\.externalIPs=.*|(.*\.)?(ingress|egress)={}|.*(HOST_AUTH_METHOD\W+(value=)?trust"
        r"|ALLOW_EMPTY_PASSWORD\W+(value=)?(yes|true|1)|AUTH_ANONYMOUS_ENABLED\W+(value=)?true"
        r"|protected-mode\W+no).*",
    ),
)


def subjects() -> list[tuple[str, str, bool]]:
    """What a finding can be about: its place, its facts, and whether it is a container."""
    found = manifests.documents()
    composed = {file: each for file, each in found if isinstance(each.get("services"), dict)}
    named = [
        (
            f"{file} {name}",
            {"of": "compose", **_short(manifests.service(file, name, composed))},
            True,
        )
        for file, document in composed.items()
        for name in document["services"]
    ]
    for file, each in found:
        kind, name = each.get("kind", ""), (each.get("metadata") or {}).get("name", "")
        named.append((f"{file} {kind}/{name}" if kind else file, each, False))
        named += [
            (f"{file} {kind}/{name} {container.get('name', 'patch')}", container, True)
            for pod in mappings(each)
            if isinstance(pod.get("containers"), list)
            for container in _of_pod(pod)
        ]
    return [(place, "\n".join(sorted(facts(each))) + "\n", c) for place, each, c in named]


def _of_pod(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The containers of a pod, each with what the pod says for all."""
    token = {k: v for k, v in pod.items() if k == "automountServiceAccountToken"}
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for each in pod.get(key) or ():
            context = (pod.get("securityContext") or {}) | (each.get("securityContext") or {})
            written = {"written": str(each["image"]).replace("$", "%")} if "image" in each else {}
            yield {**each, **written, "of": "pod", "securityContext": context, **token}


def _short(service: dict[str, Any]) -> dict[str, Any]:
    """A service with volumes and ports in their short form."""
    volumes = [
        f"{'' if v.get('type') == 'bind' else 'named'}{v.get('source', v.get('src', ''))}:"
        f"{v.get('target')}:{'ro' if v.get('read_only') else 'rw'}"
        if isinstance(v, dict)
        else v
        for v in service.get("volumes") or ()
    ]
    ports = [
        f"{p.get('host_ip', '')}:{p.get('published', '')}:{p.get('target')}"
        if isinstance(p, dict)
        else p
        for p in service.get("ports") or ()
    ]
    written = str(service.get("image", "")).replace("$", "%")
    return {**service, "volumes": volumes, "ports": ports, "written": written}


def _register(row: Row) -> None:
    def look(seen: Evidence) -> Found:
        for place, text, is_container in seen.once(subjects):
            pattern = row.wrong if is_container else row.anywhere
            for found in re.finditer(rf"^(?:{pattern})$", text, re.MULTILINE):
                yield f"{place} {found[0].replace(': ', ':')}", "found"
            for name, needed in row.needed.items():
                is_whole = is_container and "\nimage=" in f"\n{text}"
                if is_whole and not re.search(rf"^({needed})[.=\n]", text, re.MULTILINE):
                    yield f"{place} {name}", "missing"

    look.__doc__ = row.title
    check(row.id, row.expected, row.fix, "CIS Docker Benchmark 5")(look)


for each_row in ROWS:
    _register(each_row)
