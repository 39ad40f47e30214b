"""Faults in files for delivery and in settings: patches of a project, each with its id and place,
and harmless neighbours of them.
"""

from tests.ops.security.planted import Fault

SERVICE = """services:
  planted:
    image: postgres:18
    user: "10001"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: 64m
    cpus: 0.5
    pids_limit: 64
"""
POD = """apiVersion: v1
kind: Pod
metadata: {name: planted}
spec:
  automountServiceAccountToken: false
  containers:
    - name: only
      image: postgres:18
      resources: {limits: {memory: 64Mi, cpu: 100m}}
      securityContext:
        runAsNonRoot: true
        readOnlyRootFilesystem: true
        allowPrivilegeEscalation: false
        capabilities: {drop: [ALL]}
        seccompProfile: {type: RuntimeDefault}
"""
CRON = """apiVersion: batch/v1
kind: CronJob
metadata: {name: planted}
spec:
  schedule: "@daily"
  jobTemplate:
    spec:
      template:
        spec:
          automountServiceAccountToken: false
          securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
          initContainers:
            - name: first
              image: postgres:18
              resources: {limits: {memory: 64Mi}, requests: {cpu: 100m}}
              securityContext:
                readOnlyRootFilesystem: true
                allowPrivilegeEscalation: false
                capabilities: {drop: [ALL]}
          containers: []
"""
WORKFLOW = """on: push
permissions: {}
jobs:
  planted:
    runs-on: ubuntu-24.04
    steps:
      - run: make check
"""


def added(id_: str, file: str, place: str, text: str) -> Fault:
    """A new file with a fault; `place` is what follows the file's name in the finding."""
    return Fault({id_: f"{file}{place}"} if id_ else {}, file, "", text)


_numbers = iter(range(1000))


def compose(id_: str, place: str, was: str, becomes: str, text: str = SERVICE) -> Fault:
    """A Compose service with a fault."""
    assert was in text
    file = f"deploy/planted-{next(_numbers)}.yaml"
    return added(id_, file, f" planted {place}", text.replace(was, becomes))


def pod(id_: str, place: str, was: str, becomes: str, text: str = POD) -> Fault:
    """A manifest of Kubernetes with a fault."""
    assert was in text
    file = f"deploy/planted-{next(_numbers)}.yaml"
    return added(id_, file, f" {place}", text.replace(was, becomes))


def image(name: str, found: str = "") -> Fault:
    """A Compose service with an image that has a fault."""
    file = f"deploy/planted-{next(_numbers)}.yaml"
    return added("SEC-609", file, f" {found or name}: has", SERVICE.replace("postgres:18", name))


def setting(id_: str, name: str, value: str, found: str = "", file: str = "common") -> Fault:
    """A line of config/ with another value."""
    finds = {id_: f"production {name}: {found or value}"} if id_ else {}
    return Fault(finds, f"config/{file}.env", f"{name}=", f"{name}={value}")


def more(line: str) -> tuple[str, str]:
    """One more line of the planted service."""
    return "    pids_limit: 64\n", f"    pids_limit: 64\n    {line}\n"


COMPOSE = [
    compose("SEC-611", "user=root", '"10001"', "root"),
    compose("SEC-611", "user=0", '"10001"', '"0:0"'),
    compose("SEC-611", "user: missing", '    user: "10001"\n', ""),
    compose("SEC-611", "user=0", '"10001"', '"${RUN_AS:-0}"'),
    compose("SEC-611", "group_add=docker", *more("group_add: [docker]")),
    compose("SEC-612", "read_only=false", "read_only: true", "read_only: false"),
    compose("SEC-612", "read_only: missing", "    read_only: true\n", ""),
    compose("SEC-613", "capabilities: missing", "cap_drop: [ALL]", "cap_drop: [NET_RAW]"),
    compose("SEC-613", "cap_add=SYS_ADMIN", *more("cap_add: [SYS_ADMIN]")),
    compose("SEC-614", "escalation: missing", '["no-new-privileges:true"]', "[]"),
    compose(
        "SEC-614",
        "security_opt=seccomp:unconfined",
        "privileges:true",
        'privileges:true", "seccomp:unconfined',
    ),
    compose(
        "SEC-614",
        "security_opt=apparmor=unconfined",
        "privileges:true",
        'privileges:true", "apparmor=unconfined',
    ),
    compose("SEC-614", "security_opt=no-new", "privileges:true", "privileges:false"),
    compose("SEC-615", "processes: missing", "    pids_limit: 64\n", ""),
    compose("SEC-615", "memory: missing", "    mem_limit: 64m\n", ""),
    compose("SEC-615", "pids_limit=-1", "pids_limit: 64", "pids_limit: -1"),
    compose("SEC-616", "privileged=true", *more("privileged: true")),
    compose("SEC-616", "network_mode=host", *more("network_mode: host")),
    compose("SEC-616", "pid=host", *more('pid: "host"')),
    compose("SEC-616", "ipc=host", *more("ipc: host")),
    compose("SEC-616", "userns_mode=host", *more("userns_mode: host")),
    compose("SEC-616", "devices=/dev/sda", *more('devices: ["/dev/sda:/dev/sda"]')),
    compose("SEC-616", "volumes=/:/host", *more('volumes: ["/:/host:ro"]')),
    compose(
        "SEC-616",
        "volumes=/var/run/docker.sock",
        *more('volumes: ["/var/run/docker.sock:/var/run/docker.sock"]'),
    ),
    compose(
        "SEC-616",
        "volumes=read_only:true,source:/etc",
        *more("volumes: [{type: bind, source: /etc, target: /x, read_only: true}]"),
    ),
    compose("SEC-616", "volumes=./data:/data", *more('volumes: ["./data:/data"]')),
    compose("SEC-616", "volumes=/srv:/data", *more('volumes: ["${DATA:-/srv}:/data:ro"]')),
    compose("SEC-618", "ports=5432:5432", *more('ports: ["5432:5432"]')),
    compose("SEC-618", "ports=6379", *more("ports: [6379]")),
    compose("SEC-618", "ports=0.0.0.0:443:5432", *more('ports: ["0.0.0.0:443:5432"]')),
    compose(
        "SEC-618",
        "ports=published:5432,target:5432",
        *more("ports: [{target: 5432, published: 5432}]"),
    ),
    compose("SEC-618", "ports=mode:host,target:5432", *more("ports: [{target: 5432, mode: host}]")),
    added(
        "SEC-618",
        "deploy/two.yaml",
        " second ports=8080:5432",
        SERVICE + "  second: {extends: planted, ports: ['8080:5432']}\n",
    ),
]
OVERRIDES = [
    added(  # laid over deploy/compose.yaml
        "SEC-616",
        "deploy/compose.override.yaml",
        " front privileged=true",
        "services: {front: {privileged: true}}\n",
    ),
    added(
        "SEC-613",
        "deploy/compose.staging.yaml",
        " front cap_add=NET_ADMIN",
        "services: {front: {cap_add: [NET_ADMIN]}}\n",
    ),
    added(
        "SEC-618",
        "deploy/compose.cache.yaml",
        " cache ports=6379:6379",
        'services: {cache: {ports: ["6379:6379"]}}\n',
    ),
    added(
        "SEC-612",
        "deploy/extending.yaml",
        " planted read_only=false",
        "services: {planted: {extends: {file: compose.yaml, service: front}, read_only: false}}\n",
    ),
    added(
        "SEC-611",
        "deploy/anchors.yaml",
        " planted user=root",
        "x-base: &base {user: root}\n" + SERVICE.replace('user: "10001"', "<<: *base"),
    ),
    added(
        "SEC-616",
        "docker-compose.yml",
        " planted privileged=true",
        SERVICE + "    privileged: true\n",
    ),
    added(
        "SEC-616",
        "deploy/volumes.yaml",
        " volumes.all.driver_opts.device=/",
        SERVICE + "volumes: {all: {driver_opts: {type: none, o: bind, device: /}}}\n",
    ),
    added(
        "SEC-616",
        "deploy/configs.yaml",
        " configs.all.file=/etc/shadow",
        SERVICE + "configs: {all: {file: /etc/shadow}}\n",
    ),
    added(
        "SEC-618",
        "deploy/trust.yaml",
        " services.planted.environment.POSTGRES_HOST_AUTH_METHOD",
        SERVICE + "    environment: {POSTGRES_HOST_AUTH_METHOD: trust}\n",
    ),
]
PODS = [
    pod(
        "SEC-611",
        "Pod/planted only securityContext.runAsUser=0",
        "spec:\n",
        "spec:\n  securityContext: {runAsUser: 0}\n",
    ),
    pod("SEC-611", "Pod/planted only user: missing", "        runAsNonRoot: true\n", ""),
    pod(
        "SEC-611",
        "Pod/planted only securityContext.runAsNonRoot=false",
        "NonRoot: true",
        "NonRoot: false",
    ),
    pod(
        "SEC-612",
        "Pod/planted only securityContext.readOnlyRootFilesystem=false",
        "Filesystem: true",
        "Filesystem: false",
    ),
    pod("SEC-613", "Pod/planted only capabilities: missing", "{drop: [ALL]}", "{drop: []}"),
    pod(
        "SEC-613",
        "Pod/planted only securityContext.capabilities.add=SYS_PTRACE",
        "{drop: [ALL]}",
        "{drop: [ALL], add: [SYS_PTRACE]}",
    ),
    pod(
        "SEC-614",
        "Pod/planted only securityContext.allowPrivilegeEscalation=true",
        "Escalation: false",
        "Escalation: true",
    ),
    pod(
        "SEC-614",
        "Pod/planted spec.containers.securityContext.seccompProfile.type=Unconfined",
        "RuntimeDefault",
        "Unconfined",
    ),
    pod(
        "SEC-614",
        "Pod/planted only seccompProfile: missing",
        "        seccompProfile: {type: RuntimeDefault}\n",
        "",
    ),
    pod(
        "SEC-614",
        "Pod/planted metadata.annotations.container.apparmor",
        "{name: planted}",
        "{name: planted, annotations: {container.apparmor.security/only: unconfined}}",
    ),
    pod("SEC-615", "Pod/planted only memory: missing", "memory: 64Mi, ", ""),
    pod("SEC-615", "Pod/planted only cpu: missing", ", cpu: 100m", ""),
    pod("SEC-616", "Pod/planted spec.hostPID=true", "spec:", "spec:\n  hostPID: true"),
    pod("SEC-616", "Pod/planted spec.hostNetwork=true", "spec:", "spec:\n  hostNetwork: true"),
    pod(
        "SEC-616",
        "Pod/planted spec.volumes.hostPath.path=/",
        "spec:",
        "spec:\n  volumes: [{name: h, hostPath: {path: /}}]",
    ),
    pod(
        "SEC-616",
        "Pod/planted only securityContext.privileged=true",
        "runAsNonRoot: true",
        "runAsNonRoot: true\n        privileged: true",
    ),
    pod(
        "SEC-616",
        "Pod/planted only ports=containerPort:5432,hostPort:5432",
        "      image:",
        "      ports: [{containerPort: 5432, hostPort: 5432}]\n      image:",
    ),
    pod(
        "SEC-617", "Pod/planted only token: missing", "  automountServiceAccountToken: false\n", ""
    ),
    pod(
        "SEC-617",
        "Pod/planted spec.automountServiceAccountToken=true",
        "Token: false",
        "Token: true",
    ),
    pod(
        "SEC-613",
        "CronJob/planted first securityContext.capabilities.add=SYS_ADMIN",
        "{drop: [ALL]}",
        "{drop: [ALL], add: [SYS_ADMIN]}",
        CRON,
    ),
    pod("SEC-611", "CronJob/planted first user: missing", "runAsNonRoot: true, ", "", CRON),
    pod(
        "SEC-612",
        "CronJob/planted first read_only: missing",
        "                readOnlyRootFilesystem: true\n",
        "",
        CRON,
    ),
]
CLUSTER = [
    added(
        "SEC-616",
        "deploy/list.yaml",
        " List/ items.spec.template.spec.volumes.hostPath.path=/var",
        "kind: List\nitems:\n  - kind: DaemonSet\n    spec: {template: {spec: {containers: [], "
        "volumes: [{name: logs, hostPath: {path: /var}}]}}}\n",
    ),
    added(
        "SEC-617",
        "deploy/rights.yaml",
        " ClusterRoleBinding/all roleRef.name=cluster-admin",
        "kind: ClusterRoleBinding\nmetadata: {name: all}\nroleRef: {name: cluster-admin}\n",
    ),
    added(
        "SEC-617",
        "deploy/role.yaml",
        " Role/all rules.verbs=*",
        "kind: Role\nmetadata: {name: all}\nrules: [{resources: [pods], verbs: ['*']}]\n",
    ),
    added(
        "SEC-618",
        "deploy/database.yaml",
        " Service/database spec.ports=port:5432",
        "kind: Service\nmetadata: {name: database}\n"
        "spec: {type: LoadBalancer, ports: [{port: 5432}]}\n",
    ),
    added(
        "SEC-618",
        "deploy/everything.yaml",
        " NetworkPolicy/all spec.ingress={}",
        "kind: NetworkPolicy\nmetadata: {name: all}\nspec: {podSelector: {}, ingress: [{}]}\n",
    ),
    added(
        "SEC-616",
        "deploy/patched/kustomization.yaml",
        " patch securityContext.privileged=true",
        "patches:\n  - patch: |-\n      - op: add\n        value: true\n"
        "        path: /spec/template/spec/containers/0/securityContext/privileged\n",
    ),
    added(
        "SEC-614",
        "deploy/merged/kustomization.yaml",
        " Pod/planted only securityContext.allowPrivilegeEscalation=true",
        "patches:\n  - patch: |-\n      kind: Pod\n      metadata: {name: planted}\n"
        "      spec:\n        containers:\n"
        "          - {name: only, securityContext: {allowPrivilegeEscalation: true}}\n",
    ),
]
IMAGES = [
    image("postgres"),
    image("postgres:latest"),
    image("registry.internal:5000/planted"),
    image("registry.internal:5000/planted:latest"),
    image("postgres:${TAG:-latest}", "postgres:latest"),
    image("${OTHER:-postgres:latest}", "postgres:latest"),
    image("somebody/postgres:18"),
    image("worker:1.2"),
    pod("SEC-609", "Pod/planted postgres", "postgres:18", "postgres"),
    pod("SEC-609", "CronJob/planted postgres:alpine", "postgres:18", "postgres:alpine", CRON),
    Fault(
        {"SEC-609": "deploy/Dockerfile python:latest"},
        "deploy/Dockerfile",
        "PYTHON=python:3.14-slim",
        "PYTHON=python:latest",
    ),
    added("SEC-609", "tools/Dockerfile", " python", "FROM python\nUSER 1\n"),
    added(
        "SEC-609",
        "tools/copy.Dockerfile",
        " somebody/tool:1.2",
        "FROM python:3.13\nCOPY --from=somebody/tool:1.2 /x /x\nUSER 1\n",
    ),
    added(
        "SEC-604",
        ".github/workflows/image.yml",
        ":unpinned-images:",
        WORKFLOW.replace("    steps", "    container: python:latest\n    steps"),
    ),
    Fault(
        {"SEC-619": "deploy/compose.yaml migrate written=registry.internal/orders:v1.2.0"},
        "deploy/compose.yaml",
        "    networks: [behind, front]\n",
        "    networks: [behind, front]\n    image: registry.internal/orders:v1.2.0\n",
    ),
    added(
        "SEC-619",
        "deploy/own.yaml",
        " app-blue",
        SERVICE.replace("planted", "app-blue").replace(
            "postgres:18", "registry.internal/orders:v1.2.0"
        ),
    ),
    added(
        "SEC-619",
        "deploy/overlay/kustomization.yaml",
        " images=name:service,newTag:v1.2.0",
        "images: [{name: service, newTag: v1.2.0}]\n",
    ),
]

SETTINGS = [
    setting("SEC-111", "APP_AUTH", "off"),
    setting("SEC-112", "APP_DOCS", "true"),
    setting("SEC-311", "APP_ALLOWED_HOSTS", "*.com", file="production"),
    setting("SEC-315", "APP_CORS_ORIGINS", "https://a.internal,http://b.internal"),
    setting("SEC-316", "APP_TRUSTED_PROXIES", "0.0.0.0/1,128.0.0.0/1"),
    setting("SEC-413", "APP_MAX_BODY_BYTES", "90000000"),
    setting("SEC-413", "APP_MAX_UPLOAD_BYTES", "104857600"),
    setting("SEC-414", "APP_REQUEST_SECONDS", "300", "300.0"),
    setting("SEC-510", "APP_LOG_FORMAT", "text"),
]
MORE_SETTINGS = [
    Fault(
        {"SEC-311": "staging APP_ALLOWED_HOSTS: empty"},
        "config/staging.env",
        "APP_ALLOWED_HOSTS=",
        "APP_ALLOWED_HOSTS=",
    ),
    Fault(  # the driver of the database logs parameters then
        {"SEC-510": "production APP_LOG_LEVEL: debug", "SEC-207": "body"},
        "config/common.env",
        "APP_LOG_LEVEL=",
        "APP_LOG_LEVEL=debug",
    ),
    setting("SEC-510", "APP_SERVER_TIMING", "true", file="production"),
    setting("SEC-414", "APP_REQUEST_READ_SECONDS", "120", "120.0"),
    setting("SEC-311", "APP_ALLOWED_HOSTS", "api.internal,*.co.uk", file="production"),
    setting("SEC-315", "APP_CORS_ORIGINS", "https://localhost:3000"),
    setting("SEC-316", "APP_TRUSTED_PROXIES", ",".join(f"{n}.0.0.0/8" for n in range(256))),
]
AUDIT = """import json
vulns = {"jinja2": ["known"], "starlette": ["GHSA-planted"]}
print(json.dumps({"dependencies": [
    {"name": name, "vulns": [{"id": id_} for id_ in ids]} for name, ids in vulns.items()
]}))
"""
PACKAGES = [
    added("SEC-607", "pip_audit.py", "", AUDIT)._replace(
        finds={"SEC-607": "starlette GHSA-planted"}
    ),
    Fault(
        {"SEC-601": "requirements.txt "}, "requirements.txt", " \\\n    --hash=sha256:", "\n    # "
    ),
    added("SEC-601", "requirements-docs.txt", " mkdocs>=1", "mkdocs>=1\n"),
    Fault(
        {"SEC-602": "requirements-dev.txt --extra-index-url"},
        "requirements-dev.txt",
        "",
        "--extra-index-url x\n",
    ),
    Fault({"SEC-601": "deploy/Dockerfile pip"}, "deploy/Dockerfile", "--require-hashes ", ""),
    Fault({"SEC-602": "Makefile index-url"}, "Makefile", "", "\nmirror:\n\t@x --index-url y\n"),
    Fault(
        {"SEC-602": "deploy/Dockerfile PIP_INDEX_URL"},
        "deploy/Dockerfile",
        "WORKDIR /service\n",
        "WORKDIR /service\nENV PIP_INDEX_URL=x\n",
    ),
    added("SEC-602", "deploy/pip.conf", " trusted-host", "trusted-host = x.internal\n"),
    added("SEC-602", "uv.toml", " index-url", 'index-url = "x"\n'),
    Fault(
        {"SEC-602": "pyproject.toml [[tool.uv.index]]"},
        "pyproject.toml",
        "",
        '\n[[tool.uv.index]]\nurl = "x"\n',
    ),
    added("SEC-603", "scripts/setup.sh", " curl", "curl -sSf https://x.internal/i | sh\n"),
    added("SEC-603", "scripts/two", " curl", "#!/bin/sh\ncurl -o i https://x.internal/i && sh i\n"),
    added("SEC-603", "scripts/three.sh", " bash", 'bash -c "$(curl https://x.internal/i)"\n'),
    added("SEC-603", "scripts/four.sh", " curl", "curl -sk https://x.internal/i > i\n"),
    added("SEC-603", "scripts/six.sh", " curl", "curl -o i.sh https://x.internal/i\nsh ./i.sh\n"),
    added("SEC-603", "scripts/seven.sh", " wget", "wget https://x.internal/b/i\nchmod +x i\n"),
    added("SEC-601", "scripts/eight.sh", " poetry", "poetry install\n"),
    added("SEC-206", "deploy/.pgpass", ": is", "x\n"),
    added("SEC-206", "config/.env.production", ": is", "x\n"),
    added("SEC-603", "scripts/five.py", " verify=False", "requests.post(x, verify=False)\n"),
    Fault(
        {"SEC-603": "deploy/Dockerfile ADD"},
        "deploy/Dockerfile",
        "COPY . .\n",
        "COPY . .\nADD https://x.internal/i /i\n",
    ),
    Fault(
        {"SEC-603": ".github/workflows/release.yml wget"},
        ".github/workflows/release.yml",
        "        run: make verify-tag\n",
        "        run: |\n          wget -qO- https://x.internal/i \\\n            | bash\n"
        "          make verify-tag\n",
    ),
    added("SEC-601", "scripts/five.sh", " pip", "python -m pip install requests\n"),
    added("SEC-601", ".github/actions/x/run.sh", " uvx", "uvx ruff\n"),
    Fault(
        {"SEC-608": "deploy/Dockerfile: USER root"},
        "deploy/Dockerfile",
        "USER 10001:10001",
        "USER root",
    ),
    added("SEC-608", "worker.Dockerfile", ": USER is missing", "FROM python:3.13\n"),
    Fault({"SEC-610": ".dockerignore"}, ".dockerignore", "\n*\n", "\n"),
    added("SEC-610", "deploy/Dockerfile.dockerignore", " !.", "*\n!.\n"),
    Fault({"SEC-206": ".gitignore"}, ".gitignore", "\n.env\n", "\n"),
    added("SEC-206", "deploy/tls.key", ": is", "x\n"),
    added("SEC-113", "deploy/start.sh", " APP_AUTH", "APP_AUTH=off python -m app\n"),
    added(
        "SEC-113",
        "deploy/settings.yaml",
        " APP_AUTH",
        SERVICE + "    environment: {APP_AUTH: 'off'}\n",
    ),
]
PIPELINES = [
    added(
        "SEC-606",
        ".github/workflows/off.yml",
        " jobs.planted.steps=if:false,run:make check",
        WORKFLOW.replace("run: make check", "{if: false, run: make check}"),
    ),
    added(
        "SEC-606",
        ".github/workflows/never.yml",
        " jobs.planted.if=false",
        WORKFLOW.replace("    runs-on", "    if: false\n    runs-on"),
    ),
    added(
        "SEC-606",
        ".github/workflows/piped.yml",
        " jobs.planted.steps=run:make check | tee",
        WORKFLOW.replace("make check", "make check | tee log"),
    ),
    added(
        "SEC-606",
        ".github/workflows/grouped.yml",
        " jobs.planted.steps=run:(make check) || true",
        WORKFLOW.replace("make check", "(make check) || true"),
    ),
    added(
        "SEC-606",
        ".github/workflows/condition.yml",
        " jobs.planted.steps=run:if ! make check",
        WORKFLOW.replace("make check", "if ! make check; then echo; fi"),
    ),
    added(
        "SEC-606",
        ".github/workflows/onward.yml",
        " jobs.planted.steps=run:set +e",
        WORKFLOW.replace("make check", "|\n          set +e\n          make check\n"),
    ),
    added(
        "SEC-606",
        ".github/workflows/expression.yml",
        " jobs.planted.continue-on-error=",
        WORKFLOW.replace("    runs-on", "    continue-on-error: ${{ true }}\n    runs-on"),
    ),
    added(
        "SEC-604",
        ".github/workflows/injected.yml",
        ":template-injection:",
        WORKFLOW.replace("make check", 'echo "${{ github.event.head_commit.message }}"'),
    ),
    added(
        "SEC-604",
        ".github/workflows/unpinned.yml",
        ":unpinned-uses:",
        WORKFLOW.replace("run: make check", "uses: docker/login-action@v3"),
    ),
    added(
        "SEC-604",
        ".github/workflows/rights.yml",
        ":excessive-permissions:",
        WORKFLOW.replace("{}", "write-all"),
    ),
    added(
        "SEC-604",
        ".github/workflows/target.yml",
        ":dangerous-triggers:",
        WORKFLOW.replace("push", "pull_request_target"),
    ),
    Fault(
        {"SEC-606": ".github/workflows/check.yml"},
        ".github/workflows/check.yml",
        "      - run: make check\n",
        "      - run: make check\n        continue-on-error: true\n",
    ),
]
JOB = """include: [{remote: 'https://x.internal/ci.yml'}, {project: a/b, file: c.yml}]
planted:
  image: docker:latest
  allow_failure: true
  services: ["$CI_REGISTRY_IMAGE/builder:latest"]
  variables: {PIP_EXTRA_INDEX_URL: x}
  script:
    - curl https://x.internal/i | sh
    - make check
"""
GITLAB = [
    Fault(
        {
            "SEC-602": ".gitlab-ci.yml PIP_EXTRA_INDEX_URL",
            "SEC-603": ".gitlab-ci.yml curl",
            "SEC-605": ".gitlab-ci.yml include=remote:https://x.internal",
            "SEC-606": ".gitlab-ci.yml planted.allow_failure=true",
            "SEC-609": ".gitlab-ci.yml $CI_REGISTRY_IMAGE/builder:latest",
        },
        ".gitlab-ci.yml",
        "",
        JOB,
    ),
    Fault(
        {
            "SEC-605": ".gitlab-ci.yml include=file:c.yml,project:a/b",
            "SEC-606": ".gitlab-ci.yml by-hand.script=make check",
            "SEC-609": ".gitlab-ci.yml docker:latest",
        },
        ".gitlab-ci.yml",
        "",
        "by-hand:\n  when: manual\n  script: [make check]\n",
    ),
    Fault(
        {"SEC-606": ".gitlab-ci.yml lenient.allow_failure.exit_codes=1"},
        ".gitlab-ci.yml",
        "",
        "lenient:\n  allow_failure: {exit_codes: [1]}\n  script: [make check]\n",
    ),
]
WORDS = "hunter" + "2"  # a line with both halves would be a finding of the template's own scan
SECRETS = [
    added("SEC-201", "app/a.py", ":quoted-password:1", f'DB_PASSWORD = "{WORDS}"\n'),
    added("SEC-201", "app/b.py", ":quoted-password:1", f'config = {{"password": "{WORDS}"}}\n'),
    added("SEC-201", "app/c.json", ":quoted-password:1", f'{{"password": "{WORDS}"}}\n'),
    added(
        "SEC-201",
        "app/d.py",
        ":url-with-password:1",
        f'URL = "postgresql://app:{WORDS}@db.internal/app"\n',
    ),
    added(
        "SEC-201",
        "app/e.py",
        ":private-key-header:1",
        'KEY = "-----BEGIN RSA ' + 'PRIVATE KEY-----"\n',
    ),
    added("SEC-201", "app/f.py", ":default-secret:1", f'os.environ.get("TOKEN", "{WORDS}")\n'),
    added("SEC-201", "scripts/g.sh", ":bare-password:1", f"export PGPASSWORD={WORDS}\n"),
    added("SEC-201", "tests/unit/h.py", ":quoted-password:1", f'password = "{WORDS}"\n'),
    added(
        "SEC-201", "config/more.env", ":bare-secret:1", "API_TOKEN=9fK2mX7qLr4TzW8v" + "B3nYcD6s\n"
    ),
    added(
        "SEC-201",
        "config/old.env",
        ":bare-secret:1",
        "# before: API_TOKEN=9fK2mX7qLr4TzW8v" + "B3nYcD6s\n",
    ),
    added(
        "SEC-201",
        "deploy/i.yaml",
        ":name-and-value:1",
        f"env: [{{name: DB_PASSWORD, value: {WORDS}}}]\n",
    ),
    added(
        "SEC-201",
        "deploy/j.yaml",
        ":bare-password:",
        SERVICE + f"    environment: {{POSTGRES_PASSWORD: {WORDS}}}\n",
    ),
    Fault(
        {"SEC-201": "deploy/Dockerfile:bare-password:"},
        "deploy/Dockerfile",
        "WORKDIR /service\n",
        f"WORKDIR /service\nENV DB_PASSWORD={WORDS}\n",
    ),
    added(
        "SEC-201",
        "app/k.py",
        ":authorization:1",
        'headers = {"Authorization": "Bearer 9fK2mX7q' + 'Lr4TzW8vB3nYcD6s"}\n',
    ),
    added(
        "SEC-201",
        "docs/l.md",
        ":password-argument:1",
        "$ curl -u admin:Winter" + "2025! https://x\n",
    ),
    added("SEC-201", "app/m.py", ":quoted-password:1", f'key = SecretStr("{WORDS}")\n'),
    added("SEC-201", "docs/n.xml", ":quoted-password:1", f"<password>{WORDS}</password>\n"),
    added("SEC-201", "docs/o.json", ":name-", f'{{"key": "password", "value": "{WORDS}"}}\n'),
    added("SEC-201", "scripts/p.sh", ":password-argument:1", f"sshpass -p '{WORDS}' ssh x\n"),
    added("SEC-201", "scripts/q.sh", ":password-argument:1", f"docker login -u x -p {WORDS} y\n"),
    added("SEC-202", ".gitleaksignore", ": hides", "x\n"),
]
ALONE = {  # each is a run of its own
    "containers": [*COMPOSE, *OVERRIDES, *PODS, *CLUSTER, *IMAGES],
    "packages, pipelines and secrets": [*PACKAGES, *PIPELINES, *GITLAB, *SECRETS],
    "settings of the environments": SETTINGS,
    "more settings of the environments": MORE_SETTINGS,
}
HARMLESS = [
    compose("", "", "64m", "128m"),
    compose("", "", 'user: "10001"', 'user: "1000:1000"'),
    compose("", "", "pids_limit: 64", 'pids_limit: 64\n    ports: ["127.0.0.1:5432:5432"]'),
    compose("", "", "pids_limit: 64", 'pids_limit: 64\n    ports: ["443:443/udp", "${P:-80}:80"]'),
    compose("", "", "pids_limit: 64", 'pids_limit: 64\n    volumes: ["./x:/x:ro", "data:/data"]'),
    compose("", "", "pids_limit: 64", "pids_limit: 64\n    volumes: [/data]\n    tmpfs: [/tmp]"),
    compose("", "", "pids_limit: 64", "pids_limit: 64\n    cap_add: [NET_BIND_SERVICE]"),
    compose("", "", "pids_limit: 64", "pids_limit: 64\n    environment: {LOG_LEVEL: info}"),
    compose("", "", "pids_limit: 64", "pids_limit: 64\n    network_mode: bridge"),
    compose(
        "",
        "",
        "    mem_limit: 64m\n    cpus: 0.5\n    pids_limit: 64\n",
        "    deploy: {resources: {limits: {memory: 64m, cpus: '0.5', pids: 64}}}\n",
    ),
    compose("", "", "postgres:18", f"postgres@sha256:{'0' * 64}"),
    compose("", "", "postgres:18", "nginx:1.29"),
    compose("", "", "postgres:18", "ghcr.io/somebody/tool:v1.2.3"),
    compose("", "", "postgres:18", "registry.internal:5000/tool:1.2-alpine"),
    added("", "deploy/compose.override.yaml", "", "services: {front: {mem_limit: 256m}}\n"),
    added("", "deploy/hardened.yaml", "", SERVICE.replace("    image: postgres:18\n", "")),
    added(
        "",
        "deploy/extended.yaml",
        "",
        "services:\n  a: {image: 'nginx:1.29', extends: {file: hardened.yaml, service: planted}}\n",
    ),
    pod("", "", "memory: 64Mi", "memory: 128Mi"),
    pod("", "", "spec:\n", "spec:\n  volumes: [{name: tmp, emptyDir: {}}]\n"),
    pod("", "", "name: only", "name: only\n      ports: [{containerPort: 8000}]"),
    pod("", "", "@daily", "@hourly", CRON.replace("containers: []", "containers: []  # none")),
    added(
        "",
        "deploy/larger/kustomization.yaml",
        "",
        "patches:\n  - patch: |-\n      - {op: replace, path: /spec/maxReplicas, value: 20}\n",
    ),
    added(
        "",
        "deploy/entry.yaml",
        "",
        "kind: Service\nmetadata: {name: web}\nspec: {type: LoadBalancer, ports: [{port: 443}]}\n",
    ),
    added(
        "",
        "deploy/reader.yaml",
        "",
        "kind: Role\nmetadata: {name: r}\nrules: [{resources: [pods], verbs: [get]}]\n",
    ),
    added(
        "",
        "deploy/external.yaml",
        "",
        "kind: ExternalSecret\nspec: {data: [{secretKey: ops_token, remoteRef: {key: orders}}]}\n",
    ),
    added("", "scripts/sum.sh", "", "curl -o i https://x.internal/i\nsha256sum -c s\nsh i\n"),
    added("", "scripts/data.sh", "", "curl -o a.json https://x.internal/i\npython b.py a.json\n"),
    added("", "scripts/ask.sh", "", "curl -f http://orders-api:8000/livez\nmysql -p orders\n"),
    added("", "scripts/saved.sh", "", "curl -o page.json https://x.internal/i\nsh other.sh\n"),
    added("", "scripts/login.sh", "", 'docker login -u x -p "$PASSWORD" y\nmkdir -p /tmp/abcdef\n'),
    added("", "app/defaults.py", "", 'url = SecretStr("redis://cache:6379/0")\n'),
    added("", "docs/curl.md", "", '$ curl -u "$NAME:$PASSWORD" https://x.internal\n'),
    added("", ".github/workflows/more.yml", "", WORKFLOW),
    added("", "docs/password.md", "", "Set `password = …` in your own file.\n"),
    added("", "tests/unit/login.py", "", 'json = {"user": "a", "password": "wrong"}\n'),
    added("", "tests/unit/url.py", "", 'URL = "postgresql://app:password@localhost/test"\n'),
    added("", "app/names.py", "", 'SENSITIVE = ("password", "token")\nkey = "items:v2:list"\n'),
    added(
        "", "deploy/reference.yaml", "", "env: [{name: A_PASSWORD_FILE, value: /run/secrets/a}]\n"
    ),
    added("", "scripts/fetch.sh", "", "curl -sSf https://x.internal/status | grep ok\n"),
    added("", "scripts/locked.sh", "", "pip install --require-hashes -r requirements.txt\n"),
    added("", ".env.example", "", "APP_LOG_LEVEL=debug\n"),
    added("", "scripts/Dockerfile", "", "FROM python:3.14-slim AS a\nFROM a\nUSER 1\n"),
    setting("", "APP_ALLOWED_HOSTS", "*.shop.internal", file="production"),
    setting("", "APP_CORS_ORIGINS", "https://shop.internal"),
    setting("", "APP_TRUSTED_PROXIES", "10.0.0.0/8,fd00::/8,35.191.0.0/16"),
    setting("", "APP_LOG_LEVEL", "warning"),
    setting("", "APP_MAX_BODY_BYTES", "1048576"),
]
