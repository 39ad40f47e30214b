"""Checks of the repository: local files, pipelines, images and what is put into them."""

import re
from collections.abc import Iterator

from vitals.ops.check.security import manifests, rules
from vitals.ops.check.security.checklist import Findings, check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.check.security.rules import DOCKERFILE

PIPELINES, SUPPLY_CHAIN = "OWASP CI/CD Security Risks", "OWASP A03:2025 supply chain"
CIS = "CIS Docker Benchmark 4"
PIPELINE = re.compile(r"\.github/workflows/|\.git\w+-ci\.yml").match
LOCAL = re.compile(
    r"(.*/)?(\.env(\.(?!example|sample|template).*)?|\.netrc|\.pypirc|id_(rsa|dsa|ecdsa|ed25519)"
    r"|\.pgpass|\.my\.cnf|\.git-credentials|\.?htpasswd|kubeconfig.*"
    r"|.*\.(pem|key|p12|pfx|kdbx|keystore|jks|sqlite3?|db|dump|tfstate))"
).fullmatch
# The names of images that Docker itself keeps; others say which registry they come from.
KNOWN = re.compile(
    r"(alpine|busybox|caddy|debian|docker|golang|haproxy|httpd|mariadb|memcached|mongo|mysql|nats"
    r"|nginx|node|postgres|python|rabbitmq|redis|registry|traefik|ubuntu|valkey/valkey"
    r"|grafana/grafana|prom/(prometheus|alertmanager))[:@].*|[\w-]*[.:][\w.:-]*/.+"
).fullmatch
EXACT = re.compile(r".+:v?\d(?!.*latest)[\w.-]*|.+@sha256:[0-9a-f]{64}").fullmatch
BY_DEPLOY = ("none", "service:v0.0.0")
IMAGES = r"^(?:.*\.)?image(?:\.name)?=(.+)|^images=(?:.*,)?newTag:(?!v?\d)(.*)"
GITLAB = r"^(?:.*\.)?(?:image(?:\.name)?|services)=(?:.*name:)?([^,$\n]+|.*:latest)$"
LETS_IN = re.compile(
    r"!/?(\*+|\.|\./|\*\*/.*|\.(git|env|venv)\b.*|(config|build|tests)/?)"
).fullmatch


def _dockerfiles(seen: Evidence) -> Iterator[tuple[str, str]]:
    """Each Dockerfile with the defaults of its arguments in their places."""
    for file in filter(DOCKERFILE, seen.files):
        text = re.sub(r"\\\r?\n\s*", " ", seen.text(file))
        of = dict(re.findall(r"^ARG\s+(\w+)=\"?([^\s\"]+)", text, re.MULTILINE))
        yield file, re.sub(r"\$\{?(\w+)(?::-[^}]*)?\}?", lambda x, of=of: of.get(x[1], x[0]), text)


@check("SEC-206", "none, and .env in .gitignore", "remove it", "OWASP ASVS 13.3")
def local_files_stay_local(seen: Evidence) -> Findings:
    """Files of local settings, keys and databases are not in the repository"""
    ignored = seen.text(".gitignore").split()
    if not {".env", "/.env", ".env*"} & set(ignored) or "!.env" in ignored:
        yield ".gitignore", "lets .env in"
    yield from ((file, "is in the repository") for file in filter(LOCAL, seen.files))


@check("SEC-606", "`make check`, without exception", "see how the template has it", PIPELINES)
def pipelines_check(seen: Evidence) -> Findings:
    """Pipelines run `make check`, and fail where it does"""
    yield from rules.in_facts(seen, rules.RULES["SEC-606"])
    pipelines = [each[:2] for each in seen.once(manifests.subjects) if PIPELINE(each[0])]
    if pipelines and not any(re.search(r"\bmake check\b", text) for _, text in pipelines):
        yield pipelines[0][0], "does not run it"


@check("SEC-608", "a number other than 0", "USER 10001:10001 in the last stage", CIS)
def the_image_is_not_root(seen: Evidence) -> Findings:
    """The image runs as a user without rights"""
    for file, text in _dockerfiles(seen):
        last = re.split(r"^FROM ", text, flags=re.MULTILINE)[-1]
        users = re.findall(r"^USER\s+(\S*)", last, re.MULTILINE)
        if not users or re.fullmatch(r"(0+|root|)(:.*)?|\$.*", users[-1]):
            yield file, f"USER {users[-1] if users else 'is missing'}"


@check("SEC-609", "a version, and a registry", "name both", SUPPLY_CHAIN)
def images_are_exact(seen: Evidence) -> Findings:
    """Every image is named by its version, and by its registry where Docker doesn't keep it"""
    named = list[tuple[str, str]]()
    for file, text in _dockerfiles(seen):
        stages = re.findall(r"^FROM .*\bAS\s+(\S+)", text, re.MULTILINE | re.IGNORECASE)
        images = re.findall(r"(?:^FROM\s+(?:--\S+\s+)*|--from=)(\S+)", text, re.MULTILINE)
        named += [(file, x) for x in images if x not in [*stages, "scratch"] and not x.isdigit()]
    for place, text, is_container in seen.once(manifests.subjects):
        if not is_container and not place.startswith(".github"):  # zizmor looks at those
            pattern = GITLAB if place.startswith(".gitlab") else IMAGES
            named += [
                (place, x[x.lastindex or 0]) for x in re.finditer(pattern, text, re.MULTILINE)
            ]
    for place, image in named:
        if image not in BY_DEPLOY and not (EXACT(image) and KNOWN(image)):
            yield f"{place} {image}", "has no version, or no registry"


@check("SEC-610", "a list of names that go in", "begin .dockerignore with *", CIS)
def the_image_takes_named_files(seen: Evidence) -> Findings:
    """Only files that are named go into the image"""
    others = [file for file in seen.files if file.endswith(".dockerignore")]
    for file in {".dockerignore", *others} if any(map(DOCKERFILE, seen.files)) else ():
        lines = seen.text(file).split("\n")
        if "*" not in lines:
            yield file, "lets everything in that it does not name"
        yield from ((f"{file} {line}", "lets more in") for line in filter(LETS_IN, lines))
