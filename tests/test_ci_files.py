"""The CI files of a project: linted, and each `run:` step executed.

`act` runs GitHub's workflows on this machine. STUBS is what it does not execute: the actions of
others, whose place an empty one takes; `make` and `ssh` only note what they are called with.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.baking import generate

BIN = Path(sys.executable).parent
DIGEST = f"sha256:{'0a' * 32}"
STUBS = {
    "actions/checkout",  # copies the tree
    "actions/attest-build-provenance",
    "actions/dependency-review-action",
    "actions/setup-python",
    "actions/upload-artifact",
    "docker/build-push-action",
    "docker/login-action",
    "docker/setup-buildx-action",
}
STUB = f"""
name: "an empty one"
outputs:
  digest: {{value: "{DIGEST}"}}
runs: {{using: composite, steps: [{{run: "true", shell: bash}}]}}
"""
CHECKOUT = """
name: "the tree"
runs: {using: composite, steps: [{run: cp -a "$TREE/." ., shell: bash}]}
"""
MAKE = """#!/bin/sh
echo "make $* $VERSION $ENV $DIGEST" | sed 's/ *$//' >> "$RECORD"
[ "$1" != verify-tag ] || echo "image=$IMAGE_NAME" >> "$GITHUB_OUTPUT"
[ "$1" != "$FAILING" ]
"""
SSH = """#!/bin/sh
for last; do :; done
echo "ssh $last" >> "$RECORD"
"""
USED = re.compile(r"uses: (([\w-]+/[\w-]+)@[0-9a-f]{40})")


@pytest.fixture(scope="module", params=["compose", "kubernetes"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose v1.2.0 is checked out."""
    folder = generate(tmp_path_factory.mktemp("ci"), deploy=request.param)
    if request.param == "compose":
        (folder / "deploy" / "known_hosts").write_text("host ssh-ed25519 AAAA\n")
    release = folder / ".github" / "workflows" / "release.yml"
    older = release.read_text().replace("uses: $/", "uses: ./")  # all that `act` knows
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "-qb", "main"], ["add", "-A"], ["commit", "-qm", "1"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    subprocess.run([*git, "tag", "-am", "v1.2.0", "v1.2.0"], cwd=folder, check=True)
    linted = subprocess.run([BIN / "actionlint"], cwd=folder, stdout=subprocess.PIPE, check=False)
    assert (linted.returncode, linted.stdout) == (0, b"")
    release.write_text(older)
    return folder


def runs(project: Path, folder: Path, event: str, **given: str) -> list[str]:
    """Let an event happen; return what was called, in order."""
    files = {"bin/make": MAKE, "bin/ssh": SSH, "stub/action.yml": STUB}
    for name, text in {**files, "checkout/action.yml": CHECKOUT}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    inputs = {"version": "v1.2.0", "digest": DIGEST}
    payload = {"ref": "refs/tags/v1.2.0"} if event == "push" else {"inputs": inputs}
    (folder / "event.json").write_text(json.dumps(payload))
    record = folder / "record"
    record.touch()
    settings = {"DEPLOY_STAGING": "1", "DEPLOY_HOST": "ci@host"}
    words = ["--workflows", ".github/workflows/release.yml", "--eventpath", folder / "event.json"]
    words += ["--platform", "ubuntu-24.04=-self-hosted", "--secret", "DEPLOY_KEY=key"]
    for use, name in sorted(set(USED.findall(sources(project)))):
        stub = folder / ("checkout" if name == "actions/checkout" else "stub")
        words += ["--local-repository", f"{use}={stub}"] if name in STUBS else []
    for name, value in settings.items():
        words += ["--var", f"{name}={value}"]
    known = {
        "RECORD": str(record),
        "TREE": str(project),
        "FAILING": "",
        "IMAGE_NAME": "registry.example/orders",
        **given,
    }
    for name, value in known.items():
        words += ["--env", f"{name}={value}"]
    done = subprocess.run(
        [BIN / "act", event, *map(str, words)],
        cwd=project,
        env={**os.environ, "HOME": str(folder), "PATH": f"{folder}/bin:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(done.stdout)
    return record.read_text().splitlines()


def sources(project: Path) -> str:
    return "".join(file.read_text() for file in (project / ".github" / "workflows").iterdir())


def test_what_is_not_executed_is_listed(project: Path):
    used = {name for _, name in USED.findall(sources(project))}

    assert used == STUBS


@pytest.mark.slow
def test_a_tag_is_checked_built_and_deployed_to_staging_by_digest(project: Path, tmp_path: Path):
    called = runs(project, tmp_path, "push")

    *before, last = called
    assert sorted(before) == [
        "make audit v1.2.0",
        "make check",
        "make check",
        "make release-page v1.2.0",
        "make verify-tag v1.2.0",
    ]
    assert (
        last
        == {
            "compose": f"ssh deploy v1.2.0 {DIGEST}",
            "kubernetes": f"make deploy v1.2.0 staging {DIGEST}",
        }["compose" if (project / "deploy" / "compose.yaml").exists() else "kubernetes"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["check", "verify-tag", "audit"])
def test_what_fails_its_check_is_neither_built_nor_deployed_nor_announced(
    failing: str, project: Path, tmp_path: Path
):
    called = runs(project, tmp_path, "push", FAILING=failing)

    assert not [line for line in called if "deploy" in line or "release-page" in line]


@pytest.mark.slow
def test_without_an_image_in_the_project_nothing_is_deployed(project: Path, tmp_path: Path):
    called = runs(project, tmp_path, "push", IMAGE_NAME="")

    assert "make release-page v1.2.0" in called
    assert not [line for line in called if "deploy" in line]


@pytest.mark.slow
def test_production_is_started_by_hand_with_version_and_digest(project: Path, tmp_path: Path):
    assert runs(project, tmp_path, "workflow_dispatch") == (
        [f"ssh deploy v1.2.0 {DIGEST}"]
        if (project / "deploy" / "compose.yaml").exists()
        else [f"make deploy v1.2.0 production {DIGEST}"]
    )


@pytest.fixture(scope="module")
def gitlab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("gitlab"), ci="gitlab")


def test_gitlabs_file_is_valid_by_its_schema(gitlab: Path):
    check = [BIN / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", ".gitlab-ci.yml"]

    done = subprocess.run(check, cwd=gitlab, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


BUILD = (
    "docker buildx build --push --sbom=true --provenance=mode=max --file deploy/Dockerfile"
    " --build-arg VERSION=v1.2.0 --build-arg COMMIT=c0ffee --metadata-file built.json"
    " --tag registry.example/orders:v1.2.0 ."
)
GITLAB_JOBS = {  # what each script calls, with a project that names an image
    "check": ["make check"],
    "audit": ["make security HISTORY=all"],
    "verify-tag": ["make verify-tag", "make audit"],
    "build": [
        "docker login --username ci --password-stdin registry.example",
        "docker buildx create --use",
        BUILD,
    ],
    "release-page": ["make release-page"],
    "staging": [f"ssh deploy v1.2.0 {DIGEST}"],
    "production": [f"ssh deploy v1.2.0 {DIGEST}"],
}
NOTE = """#!/bin/sh
name=${0##*/}
[ "$name" != ssh ] || { for last; do :; done; set -- "$last"; }
echo "$name $*" >> "$RECORD"
[ "$name $2" != "docker build" ] || echo '{"containerimage.digest": "'$DIGEST'"}' > built.json
"""


@pytest.mark.slow
@pytest.mark.parametrize("job", GITLAB_JOBS)
def test_each_script_of_gitlab_does_what_its_job_is_for(job: str, gitlab: Path, tmp_path: Path):
    jobs = yaml.safe_load((gitlab / ".gitlab-ci.yml").read_text())
    found = {**jobs.get(jobs[job].get("extends"), {}), **jobs[job]}
    shutil.copytree(gitlab, project := tmp_path / "project")
    table = project / "pyproject.toml"
    image = '[tool.vitals]\nimage = "registry.example/orders"\n'
    table.write_text(table.read_text().replace("[tool.vitals]\n", image))
    (project / "deploy" / "known_hosts").write_text("host ssh-ed25519 AAAA\n")
    for name in ("make", "docker", "ssh", "git", "apt-get"):
        (tmp_path / name).write_text(NOTE)
        (tmp_path / name).chmod(0o755)
    given = {"RECORD": str(tmp_path / "record"), "DIGEST": DIGEST, "VERSION": "v1.2.0", "ENV": job}
    given |= {"CI_COMMIT_TAG": "v1.2.0", "CI_COMMIT_SHA": "c0ffee", "CI_REGISTRY_USER": "ci"}
    given |= {"DEPLOY_HOST": "ci@host", "DEPLOY_KEY": "key"}
    lines = [*found.get("before_script", ()), *found["script"]]

    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)],
        cwd=project,
        env={**os.environ, **given, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    called = (tmp_path / "record").read_text().splitlines()
    called = [line for line in called if not line.startswith(("git", "apt-get"))]
    assert called == GITLAB_JOBS[job]
    if job == "build":
        assert (project / "image.env").read_text() == f"DIGEST={DIGEST}\n"


def test_no_script_of_gitlab_is_left_out(gitlab: Path):
    jobs = yaml.safe_load((gitlab / ".gitlab-ci.yml").read_text())

    scripts = {n for n, each in jobs.items() if {"script", "extends"} & {*each} and n[0] != "."}
    assert {*GITLAB_JOBS} == scripts
