"""Checks of text: the application's code, commands in scripts and pipelines, and locks."""

import ast
import builtins
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from vitals.ops.check.security.checklist import Findings, check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

SUPPLY_CHAIN = "OWASP A03:2025 supply chain"
DOCKERFILE = re.compile(
    r"(.*/)?(Docker|Container)file(?!.*ignore$)[^/]*|.*\.[Dd]ockerfile"
).fullmatch
SCRIPT = re.compile(  # also what has no extension, such as a Makefile
    r"(?!vitals/|docs/)(.*/)?([^/.]+|\.envrc|.*\.(sh|bash|zsh|mk|ps1|ya?ml|toml|cfg|ini|conf|env))"
).fullmatch
CODE = re.compile(r"(?!vitals/|tests/).*\.py").fullmatch
LOCK = re.compile(r"(.*/)?(requirements|constraints)[^/]*\.txt").fullmatch
PIN = re.compile(r"[\w.\[\],-]+==\S+( ;[^\\]+?)?( --hash=sha256:[0-9a-f]{64})+").fullmatch
NOT_LOCKED = (
    r"\bpip[\d.]*\b(?![^\n;&|]*--require-hashes)[^\n;&|]*? install\b[^\n;&|]*"
    r"|\b(?:pipx|uvx|npx|uv tool|easy_install|(?:uv|poetry) add"
    r"|(?:npm|go|cargo|gem|poetry|pipenv|conda) install)\b[^\n;&|]*"
)
INDEX = (
    r"(?:--default-index|find-links|trusted-host|index-url)\b[^\n]*|--index[ =][^\n]*://[^\n]*"
    r"|\b(?:PIP|UV)_(?:EXTRA_|DEFAULT_)?(?:INDEX|FIND_LINKS|TRUSTED|INSECURE|CONFIG_FILE)[^\n]*"
    r"|^\[+tool\.(?:uv\.(?:index|sources)|poetry\.source)[^\n]*"
    r"|\bpip[\d.]* [^\n]*? -[if] [^\n]*|(?<!\w)git\+\w+:[^\n]*"
)
SETTING = r"\bAPP_(?!VERSION|COMMIT)[A-Z_]+\b"
ENVIRONMENT = r"\bos\.(?:environ|getenv)\b[^\n]*|\bfrom os import [^\n]*\b(?:environ|getenv)\b"
FETCH = r"\b(?:curl|wget)\b"
FETCHED = (
    rf"{FETCH}[^\n;]*\|\s*(?:sudo\s+|env\s+|-\S+\s+)*(?:\S*/)?(?:\w*sh|python[\d.]*|perl|node)\b"
    rf"|(?:\b\w*sh|python[\d.]*|eval|source|\s\.)\s[^\n;|]*[$<]?[(`]\s*{FETCH}[^\n]*"
    rf"|{FETCH}(?![^\n]*sha\d+sum)[^\n]*(?:&&|;)[^\n]*\b(?:\w*sh|chmod|python[\d.]*)\s[^\n]*"
    rf"|{FETCH}[^\n]*(?:\s-\w*[oO]\s*|[/>])\s*(?:\S*/)?(?P<file>\w[\w.-]*)[^\n]*\n"
    r"(?:(?![^\n]*sha\d+sum)[^\n]*\n){0,9}?"
    r"[^\n]*\b(?:\w*sh|source|python[\d.]*|chmod\s+\S+)\s+(?:-\S+\s+)*\S*\b(?P=file)"
    r"|\bcurl\b[^\n;|]*\s(?:-[a-zA-Z]*k[a-zA-Z]*|--insecure)\b[^\n]*|--no-check-certificate\b"
    r"|GIT_SSL_NO_VERIFY|sslVerify\W+false|StrictHostKeyChecking\W+no|TLS_REJECT_UNAUTHORIZED"
    r"|--allow-un(?:authenticated|trusted)|DOCKER_TLS_CERTDIR\W+\"\"|tcp://[\w.-]+:2375"
    r"|\bverify(?:_ssl|_certs)?=False\b|CERT_NONE|_create_unverified_context"
    r"|\bdocker (?:run|pull)\b[^\n]*(?::latest|--privileged|docker\.sock|[= ]host\b)[^\n]*"
    r"|^ADD\s+(?![^\n]*--checksum)[^\n]*(?:https?://|git@)[^\n]*"
)
# Without: assert, names that sound like a password, programs that are started.
RUFF = "--isolated --ignore-noqa --select S,T20 --ignore S101,S105,S106,S107,S603,S607"
BROAD = re.compile(rf"\b({'|'.join(dir(builtins))}|\w*(SQLAlchemy|DBAPI|HTTP)Error)\b").search
ANSWER = re.compile(r"\w*(Problem|Exception|Response)").fullmatch


def _lines(seen: Evidence, pattern: str, files: Callable[[str], object] = SCRIPT) -> Findings:
    """The commands in scripts, pipelines and other files for delivery that match a pattern."""
    for file in seen.files:
        if files(file) or DOCKERFILE(file):
            text = re.sub(r"^\s*#.*", "", seen.text(file), flags=re.MULTILINE)
            text = re.sub(r"\\\r?\n\s*|\n\s*(?=[|&])", " ", text)
            for found in re.finditer(pattern, text, re.MULTILINE):
                yield f"{file} {' '.join(found[0].split())[:80]}", "found"


def _locks(seen: Evidence) -> Iterator[tuple[str, str]]:
    """The lines of the locks, each with its file."""
    for file in filter(LOCK, seen.files):
        for line in re.sub(r"\s*\\\r?\n\s*", " ", seen.text(file)).split("\n"):
            if line.strip() and not line.startswith("#"):
                yield file, line.strip()


@check("SEC-113", "a field of Settings, and config/*.env", "move it there", "OWASP ASVS 13.4")
def settings_come_from_config(seen: Evidence) -> Findings:
    """Settings come from config/ only, where they are checked"""
    yield from _lines(seen, SETTING, re.compile("deploy/.*ya?ml").match)
    yield from _lines(seen, ENVIRONMENT, re.compile(r"app/.*\.py").match)


@check("SEC-601", "a lock with hashes", "make lock, and --require-hashes", SUPPLY_CHAIN)
def every_package_has_its_hash(seen: Evidence) -> Findings:
    """Every package is locked by version and hash, and installed by them"""
    for file, line in _locks(seen):
        if not PIN(line) and not line.startswith("-"):
            yield f"{file} {line.split()[0]}", "has no version or no hash"
    yield from _lines(seen, NOT_LOCKED)


@check("SEC-602", "packages of the machine's own index", "remove it", SUPPLY_CHAIN)
def packages_come_from_one_place(seen: Evidence) -> Findings:
    """No file names a place that packages come from"""
    for file, line in _locks(seen):
        if line.startswith("-") or "://" in line:
            yield f"{file} {line.split()[0]}", "names a place, or another file"
    yield from _lines(seen, INDEX)


@check("SEC-603", "a version with a checksum, over TLS", "install a package instead", SUPPLY_CHAIN)
def nothing_downloaded_is_run(seen: Evidence) -> Findings:
    """Nothing is run as it was downloaded, and no connection is left unchecked"""
    yield from _lines(seen, FETCHED, lambda file: SCRIPT(file) or CODE(file))


@check("SEC-417", "none", "`ruff rule` explains it", "OWASP ASVS 15.2")
def the_code_is_sound(_: Evidence) -> Findings:
    """The application's code prints nothing, and has no weakness that ruff's rules know"""
    command = f"-m ruff check {RUFF} --output-format json app".split()
    finished = shell.run([shell.PYTHON, *command])
    try:
        found = json.loads(finished.output)
    except ValueError as error:
        raise Refused("ruff failed", "its findings as JSON", output=finished.output) from error
    for each in found:
        file = Path(each["filename"]).relative_to(shell.ROOT)
        yield f"{file}:{each['location']['row']} {each['code']}", each["message"]


@check("SEC-210", "a text of your own", "log the exception's type", "OWASP ASVS 16.5.1")
def answers_do_not_quote_exceptions(_: Evidence) -> Findings:
    """No answer is made of the text of an exception of Python's or of a library's"""
    for file in sorted((shell.ROOT / "app").rglob("*.py")):
        for each in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(each, ast.ExceptHandler) and each.type and BROAD(ast.unparse(each.type)):
                for node in (n for n in ast.walk(each) if isinstance(n, ast.Call | ast.Return)):
                    if _is_answer(node) and _holds(node, each.name):
                        yield f"{file.relative_to(shell.ROOT)}:{node.lineno}", "quotes an exception"


def _is_answer(node: ast.Call | ast.Return) -> bool:
    """Whether a node makes an answer; a function that only handles the error makes none."""
    if isinstance(node, ast.Call):
        return bool(ANSWER(ast.unparse(node.func).rpartition(".")[2]))
    return isinstance(node.value, ast.Dict)


def _holds(node: ast.AST, name: str | None) -> bool:
    """Whether a node uses a variable, other than for its type."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "type":
        return False
    if isinstance(node, ast.Name):
        return node.id == name
    return any(_holds(inner, name) for inner in ast.iter_child_nodes(node))
