"""Group 6: is what is shipped what was meant, and is it held tightly where it runs?"""

import re
from collections.abc import Callable, Iterator

from vitals.ops.check.security.checklist import Checklist
from vitals.ops.check.security.containers import Container
from vitals.ops.check.security.evidence import Evidence

CHECKLIST = Checklist()
check = CHECKLIST.check

CIS, SLSA = "CIS Docker Benchmark 5", "OWASP A03:2025 supply chain"
TOP10, GITHUB = "OWASP A06:2021", "GitHub security hardening"
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([0-9][^ ;\\]*)", re.MULTILINE)
ACTION = re.compile(r"^\s*-?\s*uses:\s*(\S+)", re.MULTILINE)
BY_COMMIT = re.compile(r".+@[0-9a-f]{40}|\./.+").fullmatch
EXACT = re.compile(r".+:v?\d+\S*|.+@sha256:[0-9a-f]{64}").fullmatch
GIVEN = re.compile(r"\$\{?(\w+)|^none$")  # the version that is deployed is given then
FLOORS = {  # the first version without the hole
    "cryptography": ("44.0.1", "CVE-2024-12797"),
    "fastapi": ("0.109.1", "CVE-2024-24762"),
    "h11": ("0.16.0", "CVE-2025-43859"),
    "idna": ("3.7", "CVE-2024-3651"),
    "mako": ("1.2.2", "CVE-2022-40023"),
    "pyjwt": ("2.10.1", "CVE-2024-53861"),
    "python-multipart": ("0.0.18", "CVE-2024-53981"),
    "starlette": ("0.49.1", "CVE-2025-62727"),
    "uvicorn": ("0.11.7", "CVE-2020-7694"),
}


def _locks(seen: Evidence) -> Iterator[tuple[str, str]]:
    for file in seen.files:
        if re.fullmatch(r"requirements[\w-]*\.txt", str(file)):
            yield str(file), seen.text(file)


def _workflows(seen: Evidence) -> Iterator[tuple[str, str]]:
    for file in seen.files:
        if str(file).startswith(".github/workflows/"):
            yield str(file), seen.text(file)


@check("SEC-601", "hashes for each package", "make lock", SLSA)
def every_package_is_known_by_its_hash(seen: Evidence) -> Iterator[str]:
    """Every package is locked by version and hash"""
    for file, text in _locks(seen):
        for name in re.findall(r"^(\S+==\S+)[^\n]*(?<!\\)$", text, re.MULTILINE):
            yield f"{file}: {name} has no hash"


@check("SEC-602", "packages of the machine's own index", "make lock", SLSA)
def no_package_comes_from_elsewhere(seen: Evidence) -> Iterator[str]:
    """No lock names a place from which packages come"""
    for file, text in _locks(seen):
        for word in ("://", "index-url", "--find-links", "\n-e ", "git+"):
            if word in text:
                yield f"{file}: {word.strip()}"


@check("SEC-603", "a version without it", "make upgrade", TOP10)
def no_known_hole_is_shipped(seen: Evidence) -> Iterator[str]:
    """No package has a hole that has long been known"""
    for file, text in _locks(seen):
        for name, version in PIN.findall(text):
            floor, advisory = FLOORS.get(name, ("0", ""))
            if _parts(version) < _parts(floor):
                yield f"{file}: {name} {version} has {advisory}, gone in {floor}"


@check("SEC-604", "nothing", "`zizmor --offline .github` explains it", GITHUB)
def workflows_are_sound(seen: Evidence) -> Iterator[str]:
    """Workflows have none of the faults that zizmor knows"""
    yield from seen.workflows


@check("SEC-605", "a whole commit", "write owner/action@<40 digits> # version", GITHUB)
def actions_are_pinned(seen: Evidence) -> Iterator[str]:
    """Workflows use actions by commit, not by a tag that moves"""
    for file, text in _workflows(seen):
        for action in ACTION.findall(text):
            if not BY_COMMIT(action):
                yield f"{file}: {action}"


@check("SEC-606", "contents: read, or {}", "state `permissions` at the top of the file", GITHUB)
def workflows_start_with_little(seen: Evidence) -> Iterator[str]:
    """A workflow may only read, unless one of its jobs says more"""
    for file, text in _workflows(seen):
        if not re.search(
            r"^permissions:(\s*\{\}|\n  contents: read\n(?!  \S))", text, re.MULTILINE
        ):
            yield f"{file}: permissions at the top are missing or wide"


@check("SEC-607", "no advisory", "make upgrade", TOP10)
def no_advisory_is_open(seen: Evidence) -> Iterator[str]:
    """No advisory is open for a package that is shipped"""
    yield from seen.advisories or ()


@check("SEC-608", "a number other than 0", "USER 10001:10001 in deploy/Dockerfile", CIS)
def the_image_is_not_root(seen: Evidence) -> Iterator[str]:
    """The image runs as somebody who owns nothing"""
    text = seen.text("deploy/Dockerfile")
    last = text.rpartition("\nFROM ")[2]
    users = re.findall(r"^USER\s+(\S+)", last, re.MULTILINE)
    if text and (not users or users[-1].split(":")[0] in ("0", "root")):
        yield f"deploy/Dockerfile: USER {users[-1] if users else 'is missing'}"


@check("SEC-609", "an exact version, or a digest", "name the version", SLSA)
def images_are_exact(seen: Evidence) -> Iterator[str]:
    """Every image is named by its version"""
    built = re.findall(r"^ARG \w+=(\S+:\S*)$", seen.text("deploy/Dockerfile"), re.MULTILINE)
    built += re.findall(r"^FROM ([^$\s]\S*)", seen.text("deploy/Dockerfile"), re.MULTILINE)
    named = [("deploy/Dockerfile", image) for image in built]
    named += [(each.where, each.image) for each in seen.containers]
    for where, image in named:
        if not EXACT(image) and not GIVEN.search(image):
            yield f"{where}: image {image or 'without a name'}"


@check("SEC-610", "a file of names that go in", "begin .dockerignore with *", CIS)
def the_image_takes_what_is_named(seen: Evidence) -> Iterator[str]:
    """Only what is named goes into the image"""
    lines = seen.text(".dockerignore").split("\n")
    if seen.text("deploy/Dockerfile") and "*" not in lines:
        yield ".dockerignore lets everything in that it does not name"


def _held(seen: Evidence, is_held: Callable[[Container], bool]) -> Iterator[str]:
    yield from (each.where for each in seen.containers if not is_held(each))


@check("SEC-611", "a user other than root", "user, or runAsNonRoot: true", CIS)
def no_container_is_root(seen: Evidence) -> Iterator[str]:
    """No container runs as root"""
    yield from (f"{w}: runs as root" for w in _held(seen, lambda c: c.non_root))


@check("SEC-612", "a file system that can't be written", "read_only, readOnlyRootFilesystem", CIS)
def containers_write_nothing(seen: Evidence) -> Iterator[str]:
    """A container can't change its own files"""
    yield from (f"{w}: can write" for w in _held(seen, lambda c: c.read_only))


@check("SEC-613", "ALL dropped", "cap_drop: [ALL], or capabilities: {drop: [ALL]}", CIS)
def containers_have_no_capabilities(seen: Evidence) -> Iterator[str]:
    """A container has none of root's powers"""
    yield from (f"{w}: has powers" for w in _held(seen, lambda c: c.without_capabilities))


@check("SEC-614", "none", "no-new-privileges:true, allowPrivilegeEscalation: false", CIS)
def containers_gain_nothing(seen: Evidence) -> Iterator[str]:
    """A container can't gain powers that it has not"""
    yield from (f"{w}: can gain powers" for w in _held(seen, lambda c: c.without_escalation))


@check("SEC-615", "limits", "mem_limit and pids_limit, or resources.limits", CIS)
def containers_have_limits(seen: Evidence) -> Iterator[str]:
    """A container can't take all of its host"""
    yield from (f"{w}: has no limits" for w in _held(seen, lambda c: c.limited))


@check("SEC-616", "a network and namespaces of its own", "take it out", CIS)
def containers_keep_away_from_the_host(seen: Evidence) -> Iterator[str]:
    """No container is privileged or shares what is the host's"""
    near = _held(seen, lambda c: not c.close_to_the_host)
    yield from (f"{w}: is close to the host" for w in near)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:4])
