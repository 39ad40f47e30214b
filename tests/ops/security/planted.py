"""Faults that a team could make, each planted into the files of a real project.

A fault says which findings it must cause: the id, and a text that its line holds. HARMLESS are
neighbours of the faults that must cause none.
"""

import re
from pathlib import Path
from typing import NamedTuple

POD = """
apiVersion: v1
kind: Pod
metadata: {name: planted}
spec:
  containers:
    - name: only
      image: planted:1.2
      resources: {limits: {memory: 64Mi, cpu: 100m}}
      securityContext:
        runAsNonRoot: true
        readOnlyRootFilesystem: true
        allowPrivilegeEscalation: false
        capabilities: {drop: [ALL]}
"""
SERVICE = """
services:
  planted:
    image: planted:1.2
    user: "10001"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: 64m
    cpus: 0.5
    pids_limit: 64
"""
WORKFLOW = """
on: push
permissions: {}
concurrency: {group: planted, cancel-in-progress: true}
jobs:
  planted:
    name: planted
    runs-on: ubuntu-latest
    permissions: {contents: read}
    steps:
      - run: make check
"""
AUDIT = """
import json
vulns = {"jinja2": ["known"], "starlette": ["GHSA-planted"]}
print(json.dumps({"dependencies": [
    {"name": name, "vulns": [{"id": id_} for id_ in ids]} for name, ids in vulns.items()
]}))
"""


class Fault(NamedTuple):
    """A change of one file: `was` becomes `becomes`; without `was` it is added at the end."""

    finds: dict[str, str]  # the id, and what its line says
    file: str
    was: str
    becomes: str


def setting(id_: str, name: str, value: str, file: str = "production") -> Fault:
    finds = {id_: f": {name}={value}"} if id_ else {}
    return Fault(finds, f"config/{file}.env", f"{name}=", f"{name}={value}")


def container(id_: str, was: str, becomes: str, text: str = SERVICE) -> Fault:
    kind = "pod" if text == POD else "service"
    name = f"deploy/{kind}-{id_.lower()}-{abs(hash(becomes)) % 1000}.yaml"
    assert was in text
    return Fault({id_: name}, name, "", text.replace(was, becomes))


def apply(folder: Path, faults: list[Fault]) -> None:
    """Plant faults into the project in `folder`."""
    for fault in faults:
        file = folder / fault.file
        file.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text() if file.exists() else ""
        assert fault.was in text, f"{fault.file} does not hold {fault.was!r}"
        if fault.was.endswith("="):  # a setting: the rest of its line goes too
            text = re.sub(f"^{fault.was}.*", fault.becomes, text, flags=re.MULTILINE)
        else:
            text = text.replace(fault.was, fault.becomes, 1) if fault.was else text + fault.becomes
        file.write_text(text)


SETTING_FAULTS = [
    setting("SEC-111", "APP_AUTH", "off", "common"),
    setting("SEC-112", "APP_DOCS", "true", "common"),
    setting("SEC-311", "APP_ALLOWED_HOSTS", "*.com"),
    setting("SEC-311", "APP_ALLOWED_HOSTS", "", "staging"),
    setting("SEC-315", "APP_CORS_ORIGINS", "https://a.internal,http://b.internal", "common"),
    setting("SEC-316", "APP_TRUSTED_PROXIES", "0.0.0.0/1,128.0.0.0/1", "common"),
    setting("SEC-413", "APP_MAX_BODY_BYTES", "90000000", "common"),
    setting("SEC-414", "APP_REQUEST_SECONDS", "300", "common"),
    Fault(  # the driver of the database logs parameters then
        {"SEC-510": ": APP_LOG_LEVEL=debug", "SEC-207": "the text from: body"},
        "config/common.env",
        "APP_LOG_LEVEL=",
        "APP_LOG_LEVEL=debug",
    ),
]
FILE_FAULTS = [
    Fault(
        {"SEC-201": "app/key.py:1"},
        "app/key.py",
        "",
        'KEY = "-----BEGIN RSA PRIVATE KEY-----"\n',  # pragma: allowlist secret
    ),
    Fault(
        {"SEC-201": "config/more.env:1"},
        "config/more.env",
        "",
        "API_TOKEN=9fK2mX7qLr4TzW8vB3nYcD6s\n",
    ),
    Fault({"SEC-206": ".gitignore"}, ".gitignore", "\n.env\n", "\n"),
    Fault(
        {"SEC-601": "requirements.txt: "}, "requirements.txt", " \\\n    --hash=sha256:", "\n    # "
    ),
    Fault(
        {"SEC-602": "requirements-dev.txt: index-url"},
        "requirements-dev.txt",
        "",
        "--extra-index-url x\n",
    ),
    Fault(
        {"SEC-604": "template-injection"},
        ".github/workflows/planted.yml",
        "",
        WORKFLOW.replace("make check", 'echo "${{ github.event.head_commit.message }}"'),
    ),
    Fault(
        {"SEC-604": "unpinned-uses"},
        ".github/workflows/unpinned.yml",
        "",
        WORKFLOW.replace("run: make check", "uses: docker/login-action@v3"),
    ),
    Fault({"SEC-607": "starlette: GHSA-planted"}, "pip_audit.py", "", AUDIT),
    Fault({"SEC-608": "USER root"}, "deploy/Dockerfile", "USER 10001:10001", "USER root"),
    Fault(
        {"SEC-609": "image python:latest"},
        "deploy/Dockerfile",
        "PYTHON=python:3.13-slim",
        "PYTHON=python:latest",
    ),
    Fault({"SEC-610": ".dockerignore"}, ".dockerignore", "\n*\n", "\n"),
    container("SEC-609", "planted:1.2", "planted"),
    container("SEC-609", "planted:1.2", "registry.internal:5000/planted"),
    container("SEC-609", "planted:1.2", "${OTHER:-planted:latest}"),
    container("SEC-611", '"10001"', "root"),
    container("SEC-611", "runAsNonRoot: true", "runAsUser: 0", POD),
    container("SEC-612", "read_only: true", "read_only: false"),
    container("SEC-612", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", POD),
    container("SEC-613", "cap_drop: [ALL]", "cap_drop: [NET_RAW]"),
    container("SEC-613", "drop: [ALL]", "drop: []", POD),
    container("SEC-614", '["no-new-privileges:true"]', "[]"),
    container("SEC-615", "    pids_limit: 64\n", ""),
    container("SEC-615", "memory: 64Mi, ", "", POD),
    container("SEC-616", "cpus: 0.5", "cpus: 0.5\n    network_mode: host"),
    container("SEC-616", "spec:", "spec:\n  hostPID: true", POD),
    container("SEC-616", "spec:", "spec:\n  volumes: [{name: h, hostPath: {path: /}}]", POD),
]
HARMLESS = [
    setting("", "APP_ALLOWED_HOSTS", "*.shop.internal"),
    setting("", "APP_CORS_ORIGINS", "https://shop.internal", "common"),
    setting("", "APP_TRUSTED_PROXIES", "10.0.0.0/8,fd00::/8,35.191.0.0/16", "common"),
    setting("", "APP_LOG_LEVEL", "warning", "common"),
    Fault({}, "deploy/harmless.yaml", "", SERVICE),
    Fault({}, "deploy/pod.yaml", "", POD),
    Fault(
        {}, "deploy/digest.yaml", "", SERVICE.replace("planted:1.2", f"planted@sha256:{'0' * 64}")
    ),
    Fault({}, ".github/workflows/planted.yml", "", WORKFLOW),
    Fault({}, "docs/password.md", "", "Set `password = …` in your own file.\n"),
]
