"""Which fault does each check find? One is planted for each, into what the checks look at."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vitals.ops.check.security import containers, secret_scan
from vitals.ops.check.security.evidence import Evidence
from vitals.ops.check.security.gather import files_of

Plant = Callable[[Evidence, Path], Evidence]
EVERYWHERE = "0.0.0.0/1"
LOCK = "starlette==0.40.0 \\\n    --hash=sha256:00\n"
KEY = "-----BEGIN RSA PRIVATE KEY-----\n"  # pragma: allowlist secret
WORKFLOW = ".github/workflows/planted.yml"
SERVICE = """
services:
  planted:
    image: planted:1.2
    user: "10001"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: 64m
    pids_limit: 64
"""


def answer(
    name: str, *, status: int | None = None, body: str | None = None, **headers: str
) -> Plant:
    """Another answer; a header is given as X_Name="value", "" takes it away."""

    def plant(seen: Evidence, _: Path) -> Evidence:
        was = seen.answers[name]
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        kept = [pair for pair in was.headers if pair[0].lower() not in {k.lower() for k in given}]
        changed = was._replace(
            status=was.status if status is None else status,
            body=was.body if body is None else body,
            headers=(*kept, *((key, value) for key, value in given.items() if value)),
        )
        return replace(seen, answers={**seen.answers, name: changed})

    return plant


def setting(**changed: object) -> Plant:
    """Another setting in production."""

    def plant(seen: Evidence, _: Path) -> Evidence:
        production = seen.settings["production"].model_copy(update=changed)
        return replace(seen, settings={**seen.settings, "production": production})

    return plant


def line(name: str, value: str) -> Plant:
    """Another line in config/production.env."""

    def plant(seen: Evidence, _: Path) -> Evidence:
        return replace(seen, lines={**seen.lines, "production": {name: value}})

    return plant


def operation(**changed: object) -> Plant:
    """An operation that the service offers beside the others."""

    def plant(seen: Evidence, _: Path) -> Evidence:
        answers = {**seen.answers, "GET /planted": seen.answers["ok"]}
        return replace(
            seen, answers=answers, operations={**seen.operations, "GET /planted": changed}
        )

    return plant


def log(text: Callable[[Evidence], str]) -> Plant:
    """One more line in the log."""

    def plant(seen: Evidence, _: Path) -> Evidence:
        return replace(seen, log=seen.log + text(seen) + "\n")

    return plant


def canary(place: str) -> Plant:
    return log(lambda seen: f'{{"event": "{seen.canaries[place]}"}}')


def without_lines(name: str) -> Plant:
    """A log that does not tell of one request."""

    def plant(seen: Evidence, _: Path) -> Evidence:
        request_id = seen.answers[name].header("X-Request-ID")
        kept = [text for text in seen.log.split("\n") if request_id not in text]
        return replace(seen, log="\n".join(kept))

    return plant


def found(**changed: object) -> Plant:
    """Another finding of a tool."""
    return lambda seen, _: replace(seen, **changed)  # type: ignore[arg-type]


def file(name: str, text: str) -> Plant:
    """Another text in a file of the repository; secrets are looked for in it."""

    def plant(seen: Evidence, folder: Path) -> Evidence:
        for kept in ("deploy", ".dockerignore", ".gitignore"):
            copy = shutil.copytree if (seen.root / kept).is_dir() else shutil.copy
            copy(seen.root / kept, folder / kept)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        return replace(
            seen,
            root=folder,
            files=files_of(folder),
            leaks=secret_scan.in_files(folder, [Path(name)]),
            containers=tuple(containers.found(folder)),
        )

    return plant


def service(was: str, is_now: str) -> Plant:
    return file("deploy/planted.yaml", SERVICE.replace(was, is_now))


PLANTED: list[tuple[str, Plant]] = [
    ("SEC-101", operation(responses={})),
    ("SEC-102", operation(security=[{"token": []}])),
    ("SEC-103", answer("operators", status=200)),
    ("SEC-103", answer("clear cache", status=204)),
    ("SEC-104", answer("health", body='{"checks": {"database": [{"output": "refused"}]}}')),
    ("SEC-105", answer("no token", WWW_Authenticate="")),
    ("SEC-106", answer("no scope", status=201)),
    ("SEC-107", answer("unsigned", status=422)),
    ("SEC-108", answer("stranger", status=201)),
    ("SEC-109", answer("expired", status=201)),
    ("SEC-109", answer("too early", status=422)),
    ("SEC-110", answer("other audience", status=201)),
    ("SEC-110", answer("other issuer", status=201)),
    ("SEC-111", setting(auth="off")),
    ("SEC-112", setting(docs=True)),
    ("SEC-201", file("app/planted.py", KEY)),
    ("SEC-201", file("config/planted.env", "API_TOKEN=9fK2mX7qLr4TzW8vB3nYcD6s\n")),
    ("SEC-202", found(leaks_in_history=("1a2b3c4",))),
    ("SEC-203", line("APP_OPS_TOKEN", "9fK2mX7qLr4TzW8vB3nYcD6s")),
    ("SEC-204", line("APP_AUTH_ISSUER", "https://change-me")),
    ("SEC-205", found(refused=())),
    ("SEC-206", file(".gitignore", "build/\n")),
    ("SEC-207", canary("url")),
    ("SEC-207", canary("exception")),
    ("SEC-208", lambda seen, _: answer("invalid", body=seen.canaries["body"])(seen, _)),
    ("SEC-208", lambda seen, _: answer("metrics", body=seen.canaries["url"])(seen, _)),
    ("SEC-209", found(shown="APP_OPS_TOKEN=9fK2mX7qLr4TzW8vB3nYcD6s  config/staging.env:7")),
    ("SEC-301", answer("ok", X_Content_Type_Options="")),
    ("SEC-302", answer("page", X_Frame_Options="SAMEORIGIN")),
    ("SEC-303", answer("defect", Content_Security_Policy="default-src *")),
    (
        "SEC-304",
        answer(
            "page",
            Content_Security_Policy=(
                "default-src 'none'; script-src 'unsafe-inline'; frame-ancestors 'none'"
            ),
        ),
    ),
    ("SEC-305", answer("not found", Referrer_Policy="unsafe-url")),
    ("SEC-306", answer("declared", Permissions_Policy="")),
    ("SEC-307", answer("invalid", Cache_Control="public")),
    ("SEC-308", answer("ok", Strict_Transport_Security="max-age=60")),
    ("SEC-309", answer("long headers", Server="uvicorn")),
    ("SEC-310", answer("defect", X_Request_ID="")),
    ("SEC-311", setting(allowed_hosts=())),
    ("SEC-312", answer("foreign host", status=200)),
    ("SEC-313", answer("foreign origin", Access_Control_Allow_Origin="*")),
    ("SEC-314", answer("ok", Access_Control_Allow_Credentials="true")),
    ("SEC-315", setting(cors_origins=("http://shop.internal",))),
    ("SEC-316", setting(trusted_proxies=(EVERYWHERE,))),
    ("SEC-401", answer("declared", status=201)),
    ("SEC-402", answer("chunked", status=201)),
    ("SEC-403", answer("upload", status=204)),
    ("SEC-404", answer("long path", status=0)),
    ("SEC-405", answer("long page", status=200)),
    (
        "SEC-406",
        operation(security=[], parameters=[{"name": "q", "schema": {"type": "string"}}]),
    ),
    (
        "SEC-406",
        operation(
            security=[],
            requestBody={
                "content": {"json": {"schema": {"type": "array", "items": {"type": "null"}}}}
            },
        ),
    ),
    ("SEC-407", answer("deep", status=201)),
    ("SEC-408", answer("nan", status=201)),
    ("SEC-409", answer("unknown field", status=201)),
    ("SEC-410", answer("form", status=201)),
    ("SEC-411", answer("page as image", status=204)),
    ("SEC-411", answer("script", status=204)),
    ("SEC-412", answer("trace", status=200)),
    ("SEC-413", setting(max_body_bytes=50_000_000)),
    ("SEC-414", setting(request_seconds=300.0)),
    ("SEC-415", answer("not found", Content_Type="text/html")),
    ("SEC-501", canary("query")),
    ("SEC-502", canary("header")),
    ("SEC-503", canary("body")),
    ("SEC-503", canary("upload")),
    ("SEC-504", log(lambda _: "printed")),
    ("SEC-505", log(lambda _: '{"path": "FORGED"}')),
    ("SEC-506", log(lambda _: '{"path": "\x7f"}')),
    ("SEC-507", answer("forged line", X_Request_ID="a b;c")),
    ("SEC-508", without_lines("unsigned")),
    ("SEC-509", without_lines("defect")),
    ("SEC-510", setting(log_format="text")),
    ("SEC-510", setting(log_level="debug")),
    ("SEC-601", file("requirements.txt", "starlette==1.10.0\n")),
    ("SEC-602", file("requirements.txt", "--index-url https://elsewhere.internal\n")),
    ("SEC-603", file("requirements.txt", LOCK)),
    ("SEC-604", found(workflows=("planted.yml: template-injection",))),
    (
        "SEC-605",
        file(WORKFLOW, "permissions: {}\njobs:\n  j:\n    steps:\n      - uses: a/b@v4\n"),
    ),
    ("SEC-606", file(WORKFLOW, "permissions: write-all\njobs: {}\n")),
    ("SEC-606", file(WORKFLOW, "permissions:\n  contents: read\n  packages: write\njobs: {}\n")),
    ("SEC-607", found(advisories=("starlette: GHSA-planted",))),
    ("SEC-608", file("deploy/Dockerfile", "FROM python:3.13-slim\nUSER root\n")),
    ("SEC-609", file("deploy/Dockerfile", "FROM python:latest\nUSER 10001\n")),
    ("SEC-609", service("planted:1.2", "planted")),
    ("SEC-610", file(".dockerignore", ".git\n")),
    ("SEC-611", service('"10001"', "root")),
    ("SEC-612", service("read_only: true", "read_only: false")),
    ("SEC-613", service("cap_drop: [ALL]", "cap_drop: [NET_RAW]")),
    ("SEC-614", service('["no-new-privileges:true"]', "[]")),
    ("SEC-615", service("pids_limit: 64", "")),
    ("SEC-616", service("read_only: true", "read_only: true\n    network_mode: host")),
]
