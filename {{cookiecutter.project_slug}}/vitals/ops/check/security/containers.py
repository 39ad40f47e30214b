"""Containers and pipelines, as the YAML files of the repository describe them: what they may do.

A container without an image is a patch of another: what it leaves out is elsewhere.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from vitals.ops.check.security import manifests
from vitals.ops.check.security.checklist import Findings, check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.deploy.targets import project_name

CIS, NEVER, PIPELINES = "CIS Docker Benchmark 5", "(?!)", "OWASP CI/CD Security Risks"


def _rule(
    id_: str,
    title: str,
    expected: str,
    fix: str,
    needed: Mapping[str, str] = MappingProxyType({}),
    wrong: str = NEVER,
    anywhere: str = NEVER,
    reference: str = CIS,
) -> None:
    """Add a check.

    `needed` are facts of which each container has one, by name; `wrong` those that no container
    has, `anywhere` those that no document has.
    """

    def look(seen: Evidence) -> Findings:
        for place, text, is_container in seen.once(subjects):
            pattern = wrong if is_container else anywhere
            for found in re.finditer(rf"^(?:{pattern})$", text, re.MULTILINE):
                yield f"{place} {' '.join(found[0].split())}", "found"
            is_whole = is_container and re.search("^(image|build)[.=]", text, re.MULTILINE)
            for name, one_of in needed.items() if is_whole else ():
                if not re.search(rf"^({one_of})[.=\n]", text, re.MULTILINE):
                    yield f"{place} {name}", "missing"

    look.__doc__ = title
    check(id_, expected, fix, reference)(look)


def subjects() -> list[tuple[str, str, bool]]:
    """What a finding can be about: its place, its facts, and whether it is a container."""
    found, ours = manifests.documents(), re.compile(rf"(.*/)?{re.escape(project_name())}([:@].*)?")
    composed = {file: each for file, each in found if isinstance(each.get("services"), dict)}
    named = [
        (f"{file} {name}", {"of": "compose", **manifests.service(file, name, composed)}, name)
        for file, document in composed.items()
        for name in document["services"]
    ]
    for file, each in found:
        kind, name = each.get("kind"), (each.get("metadata") or {}).get("name", "")
        named.append((place := f"{file} {kind}/{name}" if kind else file, each, ""))
        inside = [container for pod in manifests.pods(each) for container in _of_pod(pod)]
        named += [(f"{place} {one['name']}", one, one["name"]) for one in inside]
    return [(place, _text(each, name, ours), bool(name)) for place, each, name in named]


def _of_pod(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The containers of a pod, each with what the pod says for all."""
    token = {k: v for k, v in pod.items() if k == "automountServiceAccountToken"}
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for each in pod.get(key) or ():
            context = (pod.get("securityContext") or {}) | (each.get("securityContext") or {})
            yield {"name": "patch", **each, "of": "pod", "securityContext": context, **token}


def _text(each: dict[str, Any], name: str, ours: re.Pattern[str]) -> str:
    """The facts, and for a container its image as it is written, without defaults."""
    found = [*manifests.facts(each)]
    if name and "image" in each:
        found.append(f"written={str(each['image']).replace('$', '%')}")
        by_name = re.fullmatch(r"app-(blue|green)|migrate|service", name)
        found += ["ours="] if by_name or ours.fullmatch(str(each["image"])) else []
    return "\n".join(sorted(found, reverse=bool(name))) + "\n"


_rule(
    "SEC-605",
    "Pipelines include nothing that can change",
    "a commit, or a version",
    "name it as ref",
    anywhere=r"include=(?!.*\bref:([0-9a-f]{40}|v?\d)).*\bproject:.*|include(\.remote)?=https?:.*"
    r"|include=(component:.*@(?!v?\d)|(?!.*integrity:)(.*,)?remote:).*"
    r"|repos\.rev=(?!v?\d|[0-9a-f]{40}).*",
    reference=PIPELINES,
)
_rule(
    "SEC-611",
    "No container runs as root; Caddy's may, which listens on the ports of the web",
    "another user than root",
    "set user, or runAsNonRoot: true",
    {"user": "user|securityContext.runAsNonRoot|image=caddy:.*"},
    r"user=(0+|root|\$.*|)(:.*)?|group_add=(0|root|docker)"
    r"|securityContext\.(runAsNonRoot=(?!true).*|(runAs(User|Group)|fsGroup|supplementalGroups)=0)",
)
_rule(
    "SEC-612",
    "No container can change its own files",
    "a read-only file system",
    "read_only: true, or readOnlyRootFilesystem: true",
    {"read_only": "read_only|securityContext.readOnlyRootFilesystem"},
    r"(read_only|securityContext\.readOnlyRootFilesystem)=(?!true).*",
)
_rule(
    "SEC-613",
    "Containers drop all capabilities, and add none but that to listen on a low port",
    "ALL dropped",
    "cap_drop: [ALL], or capabilities: {drop: [ALL]}",
    {"capabilities": "(cap_drop|securityContext.capabilities.drop)=ALL"},
    r"(cap_add|securityContext\.capabilities\.add)=(?!(CAP_)?NET_BIND_SERVICE$|\[\]).*",
)
_rule(
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
)
_rule(
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
)
_rule(
    "SEC-616",
    "No container is privileged, or has files, devices or namespaces of the host",
    "what is its own",
    "remove it",
    wrong=r"privileged=true|(devices|device_cgroup_rules|gpus|use_api_socket|volumes_from)[.=].*"
    r"|(network_mode|pid|ipc|uts|userns_mode|cgroup)=(host|container:).*"
    r"|volumes=(?!\.\.?/(?!\.\.)[^:]*:[^:]+:ro\b)[/~.:$].*:.*|volumes\.source=[/~.$].*"
    r"|volumes=(?!read_only:true,source:\.\.?/(?!\.\.)).*,type:bind|.*hostPort:.*"
    r"|securityContext\.(privileged|windowsOptions\.hostProcess)=true|volumeDevices=.*",
    anywhere=r"(.*\.)?hostPath\.path=.*|(.*\.)?(host(Network|PID|IPC)|shareProcessNamespace)=true|networks\..+\.(name|driver)=host"
    r"|(?!services).*(docker|containerd|crio|podman)\.sock|volumes\..+\.device=[/~.].*"
    r"|spec\.local\.path=.*|.*pod-security\.kubernetes\.io/\w+=privileged",
)
_rule(
    "SEC-617",
    "No container has a token or the right to change the cluster",
    "neither",
    "automountServiceAccountToken: false; name verbs and resources",
    {"token": "of=compose|automountServiceAccountToken"},
    anywhere=r"(.*\.)?(automountServiceAccountToken=true|serviceAccountToken\..*|rules\.\w+=\*"
    r"|roleRef\.name=(cluster-admin|admin|edit))",
)
_rule(
    "SEC-618",
    "Only the web's ports are open to the network, and no server without a password",
    "80 and 443",
    "publish it on 127.0.0.1, or not at all",
    wrong=r"ports=(?!\[\]|containerPort:|(host_ip:)?(127\.0\.0\.1|\[?::1\]?)[:,])"
    r"(?!(.*:)?(80|443)(/\w+)?$).*",
    anywhere=r"spec\.ports=(?!.*\bport:(80|443)\b).*(?=(\n.*)*\nspec\.type=(LoadBalancer|NodePort)\n)"
    r"|spec\.externalIPs=.*|(.*\.)?(ingress|egress)={}|.*(HOST_AUTH_METHOD\W+(value\W)?trust"
    r"|ALLOW_EMPTY_PASSWORD\W+(value\W)?(yes|true|1)|AUTH_ANONYMOUS_ENABLED\W+(value\W)?true"
    r"|protected-mode\W+no).*",
)
_rule(
    "SEC-619",
    "No file names the version of the service itself: `make deploy` does",
    "${IMAGE:-none}, or service:v0.0.0",
    "write that",
    wrong=r"written=(?!%\{IMAGE(:-none|:\?[^}]*)?\}|service:v0\.0\.0$).*(?=\n(.*\n)*ours=)",
    anywhere=r"images=(.*,)?name:service,.*|images=digest:.*,name:service",
    reference="OWASP A03:2025 supply chain",
)
