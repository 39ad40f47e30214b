"""Faults that a team could make, each planted into the files of a real project.

A fault says which findings it must cause: the id, and a text that its line holds. HARMLESS are
neighbours of the faults that must cause none.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROUTES = "app/planted.py"
HEAD = """
import logging

import vitals
from fastapi import Body, Depends, FastAPI, File, HTTPException, Query, Request, Security
from fastapi import Response, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer
from fastapi.security.base import SecurityBase
from vitals.validation import Model

log = logging.getLogger(__name__)
GUARDED = [Security(vitals.caller, scopes=["notes:write"])]
PUBLIC = vitals.PUBLIC


class Open(HTTPBearer):
    async def __call__(self, request: Request) -> None:
        return None


class Bare(HTTPBearer):
    async def __call__(self, request: Request) -> None:
        raise HTTPException(401, "who is it?")


def add(app: FastAPI, settings: vitals.Settings) -> None:
"""
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


def route(finds: dict[str, str], code: str) -> Fault:
    lines = "".join(f"    {line}\n" for line in code.strip().split("\n"))
    return Fault(finds, ROUTES, "", f"\n{lines}")


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
    (folder / ROUTES).write_text(HEAD + '    """Add the planted routes."""\n')
    main = folder / "app/main.py"
    call = "    planted.add(app, settings)\n    vitals.install(\n"
    text = main.read_text().replace("    vitals.install(\n", call)
    main.write_text(text.replace("import vitals\n", "import vitals\nfrom app import planted\n", 1))
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


NEVER_STARTS = [
    route({"SEC-101": "GET /says-nothing"}, '@app.get("/says-nothing")\ndef nothing(): ...'),
    route(
        {"SEC-101": "/mounted"},
        'inner = FastAPI(openapi_url=None)\n@inner.get("/deep")\ndef deep(): ...\n'
        'app.mount("/mounted", inner)',
    ),
]
ROUTE_FAULTS = [
    route(
        {"SEC-102": "GET /open", "SEC-108": "GET /open"},
        '@app.get("/open", dependencies=[Depends(Open())])\ndef open_(): ...',
    ),
    route(
        {"SEC-108": "GET /any-bearer"},
        '@app.get("/any-bearer", dependencies=[Depends(HTTPBearer())])\ndef any_bearer(): ...',
    ),
    route(
        {"SEC-106": "GET /any-scope"},
        '@app.get("/any-scope", dependencies=[Security(vitals.caller)],\n'
        '  openapi_extra={"security": [{"token": ["notes:read"]}]})\n'
        "def any_scope(): ...",
    ),
    route(
        {"SEC-105": "GET /bare"},
        '@app.get("/bare", dependencies=[Depends(Bare())])\ndef bare(): ...',
    ),
    route(
        {"SEC-207": "the text from: body"},
        '@app.post("/logs-body", dependencies=GUARDED)\n'
        "def logs_body(note: str = Body(max_length=100, embed=True)):\n"
        '  log.warning("new: %s", note)',
    ),
    route(
        {"SEC-207": "the text from: query"},
        '@app.get("/logs-query", openapi_extra=PUBLIC)\n'
        'def logs_query(request: Request):\n  log.info("asked %s", request.url)',
    ),
    route(
        {"SEC-207": "the text from: header"},
        '@app.get("/logs-headers", openapi_extra=PUBLIC)\n'
        'def logs_headers(request: Request):\n  log.info("from %s", request.cookies)',
    ),
    route(
        {"SEC-207": "the text from: token"},
        '@app.get("/logs-token", dependencies=GUARDED)\n'
        'def logs_token(request: Request):\n  log.info(request.headers["authorization"])',
    ),
    route(
        {"SEC-207": "the text from: APP_OPS_TOKEN"},
        '@app.get("/logs-secret", openapi_extra=PUBLIC)\n'
        "def logs_secret():\n  log.info(settings.ops_token.get_secret_value())",
    ),
    route(
        {"SEC-504": "a line of the log begins with 'printed'"},
        '@app.get("/prints", openapi_extra=PUBLIC)\ndef prints():\n  print("printed", flush=True)',
    ),
    route(
        {"SEC-208": "GET /shows-secret"},
        '@app.get("/shows-secret", openapi_extra=PUBLIC)\n'
        "def shows_secret():\n  return settings.ops_token.get_secret_value()",
    ),
    route(
        {"SEC-208": "POST /repeats", "SEC-415": "POST /repeats"},
        '@app.post("/repeats", dependencies=GUARDED)\n'
        "def repeats(note: str = Body(max_length=100, embed=True)):\n"
        '  return JSONResponse({"error": note}, 400)',
    ),
    route(
        {"SEC-208": "GET /defect", "SEC-415": "GET /defect"},
        "@app.exception_handler(RuntimeError)\n"
        'def handler(_: Request, error: Exception):\n  return JSONResponse({"e": str(error)}, 500)',
    ),
    route(
        {"SEC-301": "GET /framed"},
        '@app.get("/framed", openapi_extra=PUBLIC)\n'
        'def framed():\n  return JSONResponse({}, headers={"X-Frame-Options": "SAMEORIGIN"})',
    ),
    route(
        {"SEC-303": "GET /inline"},
        '@app.get("/inline", openapi_extra=PUBLIC)\ndef inline():\n'
        "  policy = \"default-src 'self' 'unsafe-inline'; frame-ancestors 'none'\"\n"
        '  return HTMLResponse("<p>", headers={"Content-Security-Policy": policy})',
    ),
    route(
        {"SEC-303": "GET /any-source"},
        '@app.get("/any-source", openapi_extra=PUBLIC)\ndef any_source():\n'
        '  return HTMLResponse("<p>", headers={"Content-Security-Policy": "default-src *"})',
    ),
    route(
        {"SEC-307": "GET /shared"},
        '@app.get("/shared", dependencies=GUARDED)\ndef shared(response: Response):\n'
        '  response.headers["Cache-Control"] = "public, max-age=60"',
    ),
    route(
        {"SEC-406": "GET /unbounded: q has no bound"},
        '@app.get("/unbounded", openapi_extra=PUBLIC)\ndef unbounded(q: str = ""): ...',
    ),
    route(
        {"SEC-406": "GET /pages: limit may be 100000"},
        '@app.get("/pages", openapi_extra=PUBLIC)\n'
        "def pages(limit: int = Query(20, le=100000)): ...",
    ),
    route(
        {"SEC-406": "POST /nested: body.notes[].text has no bound"},
        "class Note(Model):\n  text: str\n"
        '@app.post("/nested", dependencies=GUARDED)\n'
        "def nested(notes: list[Note] = Body(max_length=9, embed=True)): ...",
    ),
]
DATA_FAULTS = [  # only a handler that was reached, and that has data, shows them
    Fault(
        {"SEC-207": "the text from: body"},
        "app/items/routes.py",
        "        item = await store.add(new)\n",
        '        item = await store.add(new)\n        logging.getLogger("x").info("%s", item)\n',
    ),
    Fault({}, "app/items/routes.py", "from typing import", "import logging\nfrom typing import"),
    Fault(
        {"SEC-307": "POST /items: Cache-Control: public"},
        "app/items/routes.py",
        '  response.headers["Location"]',
        '  response.headers["Cache-Control"] = "public"; response.headers["Location"]',
    ),
]
CORS_FAULTS = [
    route(
        {"SEC-313": ": Access-Control-Allow-Origin: *"},
        'app.add_middleware(CORSMiddleware, allow_origins=["*"])',
    )
]
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
    route({}, '@app.get("/guarded", dependencies=GUARDED)\ndef guarded(): ...'),
    route(
        {},
        '@app.get("/cached", openapi_extra=PUBLIC)\ndef cached(response: Response):\n'
        '  response.headers["Cache-Control"] = "public, max-age=60"',
    ),
    route(
        {},
        '@app.get("/private", dependencies=GUARDED)\ndef private(response: Response):\n'
        '  response.headers["Cache-Control"] = "private, max-age=60"',
    ),
    route(
        {},
        '@app.post("/echo", dependencies=GUARDED)\n'
        "def echo(note: str = Body(max_length=100, embed=True)):\n"
        '  log.info("a new note", extra={"length": len(note)})\n  return {"note": note}',
    ),
    route(
        {},
        '@app.get("/page", openapi_extra=PUBLIC)\ndef page():\n'
        "  policy = \"default-src 'self'; frame-ancestors 'none'\"\n"
        '  return HTMLResponse("<p>", headers={"Content-Security-Policy": policy})',
    ),
    route(
        {},
        '@app.post("/upload", dependencies=GUARDED)\nasync def upload(file: UploadFile):\n'
        "  return len(await file.read())",
    ),
    route(
        {},
        '@app.get("/stream", openapi_extra=PUBLIC)\ndef stream():\n'
        '  return StreamingResponse(iter(["a", "b"]))',
    ),
    route(
        {},
        '@app.get("/pages", openapi_extra=PUBLIC)\ndef pages(limit: int = Query(20, le=100)): ...',
    ),
    route(
        {}, '@app.get("/missing", openapi_extra=PUBLIC)\ndef missing():\n  raise HTTPException(404)'
    ),
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
