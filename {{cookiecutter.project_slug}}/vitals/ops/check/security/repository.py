"""Checks of the repository: secrets, packages, workflows, the image and its containers."""

import re
from collections.abc import Iterator

from vitals.ops.check.security import containers, secret_scan, tools
from vitals.ops.check.security.checklist import check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.run import git, shell

STORED, RULE, CIS = "OWASP ASVS 13.3.1", "OWASP ASVS 13.3", "CIS Docker Benchmark 5"
SUPPLY_CHAIN, TOP10 = "OWASP A03:2025 supply chain", "OWASP A06:2021"
DOCKERFILE = "deploy/Dockerfile"
ELSEWHERE = ("://", "index-url", "--find-links", "\n-e ", "git+")
EXACT = re.compile(r".+:v?\d+[\w.-]*|.+@sha256:[0-9a-f]{64}").fullmatch
BY_DEPLOY = re.compile(r"\$\{IMAGE(:-none)?\}|none").fullmatch  # `make deploy` names the version


def _locks(seen: Evidence) -> Iterator[tuple[str, str]]:
    for file in seen.files:
        if re.fullmatch(r"requirements[\w-]*\.txt", file):
            yield file, seen.text(file)


def _containers(seen: Evidence) -> tuple[containers.Container, ...]:
    return seen.once(_found)


def _found() -> tuple[containers.Container, ...]:
    return tuple(containers.found(shell.ROOT / "deploy"))


def since_last_release() -> str:
    """The commits since the last tag of a version; all of them before the first."""
    if not git.succeeds("describe", "--tags", "--abbrev=0", "--match", "v*"):
        return ""
    return git.git("describe", "--tags", "--abbrev=0", "--match", "v*") + "..HEAD"


@check("SEC-201", "none", "remove it, and replace it: it is known now", STORED)
def the_tree_holds_no_secret(seen: Evidence) -> Iterator[str]:
    """The repository holds no secret"""
    yield from (f"{place}: what looks like a secret" for place in secret_scan.in_files(seen.files))


@check("SEC-202", "none", "replace it: it is known, also without that commit", STORED)
def the_history_holds_no_secret(_: Evidence) -> Iterator[str]:
    """No secret was committed since the last release"""
    if git.is_repository() and git.succeeds("rev-parse", "--verify", "--quiet", "HEAD"):
        for place in secret_scan.in_history(since_last_release()):
            yield f"commit {place}: what looks like a secret"


@check("SEC-206", ".env among them", "add .env to .gitignore", RULE)
def local_settings_stay_local(seen: Evidence) -> Iterator[str]:
    """A file of local settings can't be committed by mistake"""
    if ".env" not in seen.text(".gitignore").split():
        yield ".gitignore names other files only"
    if ".env" in seen.files:
        yield ".env is in the repository"


@check("SEC-601", "hashes for each package", "make lock", SUPPLY_CHAIN)
def every_package_has_its_hash(seen: Evidence) -> Iterator[str]:
    """Every package is locked by version and hash"""
    for file, text in _locks(seen):
        for name in re.findall(r"^(\S+==\S+)[^\n]*(?<!\\)$", text, re.MULTILINE):
            yield f"{file}: {name} has no hash"


@check("SEC-602", "packages of the machine's own index", "make lock", SUPPLY_CHAIN)
def no_lock_names_an_index(seen: Evidence) -> Iterator[str]:
    """No lock names a place that packages come from"""
    for file, text in _locks(seen):
        for word in ELSEWHERE:
            if word in text:
                yield f"{file}: {word.strip()}"


@check("SEC-604", "none", "`zizmor --offline .github` explains it", "GitHub security hardening")
def workflows_are_sound(seen: Evidence) -> Iterator[str]:
    """Workflows have no weakness that zizmor knows"""
    yield from seen.once(tools.workflows)


@check("SEC-607", "none", "make upgrade", TOP10)
def no_advisory_is_open(seen: Evidence) -> Iterator[str]:
    """No advisory is open for a package that is shipped"""
    yield from seen.once(tools.advisories)


@check("SEC-608", "a number other than 0", f"USER 10001:10001 in {DOCKERFILE}", CIS)
def the_image_is_not_root(seen: Evidence) -> Iterator[str]:
    """The image runs as a user without rights"""
    text = seen.text(DOCKERFILE)
    users = re.findall(r"^USER\s+(\S+)", text.rpartition("\nFROM ")[2], re.MULTILINE)
    if text and (not users or users[-1].split(":")[0] in ("0", "root")):
        yield f"{DOCKERFILE}: USER {users[-1] if users else 'is missing'}"


@check("SEC-609", "an exact version, or a digest", "name the version", SUPPLY_CHAIN)
def images_are_exact(seen: Evidence) -> Iterator[str]:
    """Every image is named by its version"""
    text = seen.text(DOCKERFILE)
    named = re.findall(r"^ARG \w+=(\S+[:/]\S*)$|^FROM ([^$\s]\S*)", text, re.MULTILINE)
    stages = re.findall(r"^FROM .* AS (\S+)", text, re.MULTILINE)
    images = [(DOCKERFILE, arg or base) for arg, base in named if base not in stages]
    for where, image in images + [(each.where, each.image) for each in _containers(seen)]:
        if not EXACT(image) and not BY_DEPLOY(image):
            yield f"{where}: image {image or 'without a name'}"


@check("SEC-610", "a list of names that go in", "begin .dockerignore with *", CIS)
def the_image_takes_named_files(seen: Evidence) -> Iterator[str]:
    """Only files that are named go into the image"""
    if seen.text(DOCKERFILE) and "*" not in seen.text(".dockerignore").split("\n"):
        yield ".dockerignore lets everything in that it does not name"


@check("SEC-611", "a user other than root", "set user, or runAsNonRoot: true", CIS)
def no_container_is_root(seen: Evidence) -> Iterator[str]:
    """No container runs as root"""
    yield from (f"{c.where}: runs as root" for c in _containers(seen) if not c.non_root)


@check("SEC-612", "a read-only file system", "read_only, or readOnlyRootFilesystem", CIS)
def containers_are_read_only(seen: Evidence) -> Iterator[str]:
    """A container can't change its own files"""
    yield from (f"{c.where}: can write" for c in _containers(seen) if not c.read_only)


@check("SEC-613", "ALL dropped", "cap_drop: [ALL], or capabilities: {drop: [ALL]}", CIS)
def containers_drop_capabilities(seen: Evidence) -> Iterator[str]:
    """A container drops all capabilities"""
    for each in _containers(seen):
        if not each.without_capabilities:
            yield f"{each.where}: keeps capabilities"


@check("SEC-614", "none", "no-new-privileges:true, or allowPrivilegeEscalation: false", CIS)
def containers_gain_no_privileges(seen: Evidence) -> Iterator[str]:
    """A container can't gain privileges"""
    for each in _containers(seen):
        if not each.without_escalation:
            yield f"{each.where}: can gain privileges"


@check("SEC-615", "limits", "mem_limit, cpus and pids_limit; or resources", CIS)
def containers_have_limits(seen: Evidence) -> Iterator[str]:
    """A container has a memory limit, and a CPU limit or request"""
    yield from (f"{c.where}: has no limits" for c in _containers(seen) if not c.limited)


@check("SEC-616", "a network and namespaces of its own", "remove it", CIS)
def containers_are_separate(seen: Evidence) -> Iterator[str]:
    """No container is privileged or shares the host's namespaces, files or engine"""
    yield from (f"{c.where}: shares the host's" for c in _containers(seen) if c.close_to_the_host)
