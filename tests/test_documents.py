"""Documents: commands, targets, links, examples, and tables that come from elsewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import reference, session
from tests.baking import (
    FOLDER,
    IN_PLACE,
    ROOT,
    VARIANTS,
    bake,
    environment,
    files_of,
    generate,
    set_up,
)
from tests.documents import (
    EXCEPTIONS,
    PLAYED,
    PLAYED_ALONE,
    Document,
    document,
    documents,
)
from tests.faults.service import Project, Service

ENGINE = f"{FOLDER}/vitals/README.md"
ALL = [pytest.param(each, id=each.path) for each in documents()]


def targets(makefile: Path) -> set[str]:
    return {target for _, target, _ in reference.targets(makefile)}


@pytest.mark.parametrize("page", ALL)
def test_every_command_is_run_by_a_test_or_listed_with_a_reason(page: Document):
    commands = page.alone if page.path in PLAYED else [*page.sessions, *page.alone]
    played = {line for path in PLAYED for line in document(path).sessions}

    assert set(commands) - {*EXCEPTIONS, *PLAYED_ALONE} - played == set()


def test_no_listed_exception_is_unused():
    said = {line for page in documents() for line in [*page.sessions, *page.alone]}

    assert {*EXCEPTIONS, *PLAYED_ALONE} - said == set()


def test_every_test_that_a_reason_names_exists():
    named = re.findall(r"tests/[\w/]+\.py", " ".join(EXCEPTIONS.values()))

    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(("path", "test"), PLAYED.items())
def test_the_test_that_runs_a_document_reads_it(path: str, test: str):
    assert (ROOT / path).name in (ROOT / test).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ALL)
def test_every_target_that_is_named_exists(page: Document):
    there = targets(IN_PLACE / "Makefile")
    if not page.path.startswith(FOLDER):
        there |= targets(ROOT / "Makefile")

    assert page.targets - there == set()


@pytest.mark.parametrize("ci", ["github", "none"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_project_names_no_target_that_it_does_not_have(variant: str, ci: str):
    project = bake(**VARIANTS[variant], ci=ci)
    pages = [Document(n, text) for n, text in files_of(project).items() if n.endswith(".md")]

    assert set().union(*(page.targets for page in pages)) - targets(project / "Makefile") == set()


@pytest.mark.parametrize("page", ALL)
def test_every_file_that_is_linked_exists(page: Document):
    folder = (ROOT / page.path).parent

    assert [link for link in page.links if not (folder / link).exists()] == []


def test_readme_links_to_every_document_of_the_template():
    led_to = {os.path.normpath(link) for link in document("README.md").links}

    paths = {page.path for page in documents() if not page.path.startswith(FOLDER)}
    assert paths - {"README.md"} - led_to == set()


def test_the_readme_of_a_project_names_every_page_of_its_docs():
    folder = f"{FOLDER}/docs/"
    text = "".join(page.text for page in documents() if page.path.startswith(FOLDER))

    names = [page.path.removeprefix(folder) for page in documents() if folder in page.path]
    assert [name for name in names if name not in text] == []


def test_the_reference_is_what_the_code_has():
    current = (reference.page(), reference.security())

    written = [file.read_text(encoding="utf-8") for file in (reference.PAGE, reference.SECURITY)]
    assert current == (*written,), "it is stale. Fix: .venv/bin/python -m tests.reference"


def test_readme_shows_rows_of_the_measured_tables_as_they_are():
    expected = document("README.md").text
    faults = re.findall(
        r"^\| ([ER]\d+) \| (.+) \| .+ \| (.+) \| (.*?) \|$",
        document("docs/faults.md").text,
        re.MULTILINE,
    )

    rows = re.findall(r"^\| ([ER]\d+) \| (.+) \| (.+) \| (.*?) \|$", expected, re.MULTILINE)
    assert rows
    assert [row for row in rows if row not in faults] == []
    assert f"[{len(faults)} rows]" in expected
    measured = re.search(r"(^\|.*\n)+", document("docs/bench.md").text, re.MULTILINE)
    assert measured
    assert measured[0] in expected


def test_a_new_project_has_no_more_files_than_the_comparison_says():
    most = int(re.findall(r"\| (\d+) and the engine's", document("docs/peers.md").text)[0])
    files = [name for name in files_of(bake(**VARIANTS["full"])) if not name.startswith("vitals/")]

    assert len(files) <= most


def test_a_first_change_needs_at_most_350_lines_in_5_files():
    page = document(f"{FOLDER}/docs/first-feature.md").text
    section = page.partition("## Lines to read before a first change")[2]
    named = re.findall(r"^\| `([\w/.]+)` \|", section, re.MULTILINE)

    lines = [len((IN_PLACE / name).read_text(encoding="utf-8").splitlines()) for name in named]
    assert 1 <= len(named) <= 5
    assert sum(lines) <= 350


def test_the_examples_of_the_engines_readme_run(tmp_path):
    examples = re.findall(r"^```python\n(.*?)^```", document(ENGINE).text, re.MULTILINE | re.DOTALL)

    for example in examples:
        done = subprocess.run(
            [sys.executable, "-c", example],
            cwd=tmp_path,
            env=environment(PYTHONPATH=str(IN_PLACE)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{example}\n{done.stderr}"
    assert examples


def test_assistants_read_at_most_forty_lines():
    assert len(document(f"{FOLDER}/AGENTS.md").text.splitlines()) <= 40


@pytest.mark.slow
def test_the_session_of_how_to_goes_as_shown(tmp_path):
    expected = "".join(session.blocks(document("docs/how-to.md").text))

    played = session.play(expected, tmp_path)

    assert session.without_figures(played) == session.without_figures(expected)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("project"), **VARIANTS["full"])


@pytest.mark.slow
@pytest.mark.xdist_group("documents")
def test_a_new_project_gets_to_its_first_release_as_its_readme_says(project):
    begin = (
        "git init -q --bare -b main ../origin && git init -q -b main && git add -A"
        " && git commit -qm Start && git remote add origin ../origin && git push -qu origin main"
    )
    readme = document(f"{FOLDER}/README.md")
    commands = [line for line in dict.fromkeys(readme.sessions) if line not in EXCEPTIONS]

    for line in [begin, *commands, *PLAYED_ALONE]:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=project,
            env=environment(YES="1", ACCEPT="SEC-607", **session.READER),  # no network here
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert "make release LEVEL=minor" in commands


@pytest.mark.slow
@pytest.mark.xdist_group("documents")
def test_the_line_of_a_request_that_readme_shows_has_the_fields_of_a_real_one(project, tmp_path):
    (expected,) = re.findall(r"^{.*}$", document("README.md").text, re.MULTILINE)
    set_up(project)

    service = Service(Project(project), tmp_path / "log", drain_seconds=0).up()
    service.ask("/nowhere")
    service.stop()

    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    (real,) = [line for line in lines if line["event"] == "request"]
    assert list(json.loads(expected)) == list(real)
