"""Tutorial pages of a project: running them ends in a green check."""

import json
from pathlib import Path

import pytest

from tests import baking, walk
from vitals.ops.project import remove_example

DOCS = baking.IN_PLACE / "docs"
WALKS = {  # the variant, and the pages that are run one after the other
    "first feature": ("plain", ["first-feature.md"]),
    "first feature, kept": ("full", ["first-feature.md", "keep-it-in-the-database.md"]),
    "another service": ("full", ["call-another-service.md"]),
    "users": ("full", ["users.md"]),
    "jobs": ("database", ["background-jobs.md"]),
}
SLOW = ("make ", ".venv/")  # what needs the project's packages


def test_each_page_with_steps_is_played():
    pages = {page.name for page in DOCS.glob("*.md") if "```" in page.read_text(encoding="utf-8")}

    assert pages == {name for _, names in WALKS.values() for name in names}


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_each_block_of_a_page_can_be_played(page):
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(
        walk.blocks(page.read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize(
    "page",
    [
        "```python\nprint()\n```\n",
        "`app/a.py` is:\n\n```python\nprint()\n```\n",
        "```console\nmake check\n```\n",
        "text\n  ```python\n",
    ],
)
def test_a_block_that_would_be_left_out_is_refused(page):
    with pytest.raises(ValueError, match=r"block|command|fence"):
        walk.blocks(page)


@pytest.mark.parametrize("variant", baking.VARIANTS)
def test_the_files_and_differences_of_all_pages_go_into_a_fresh_project(tmp_path: Path, variant):
    project = walk.repository(baking.generate(tmp_path, **baking.VARIANTS[variant]))
    pages = ["call-another-service.md", "first-feature.md", "keep-it-in-the-database.md"]
    pages += ["users.md", "background-jobs.md"]

    for page in filter(Path.is_file, (project / "docs" / name for name in pages)):
        if "$ make remove-example" in page.read_text(encoding="utf-8"):
            remove_example.remove(project)
        walk.play(page, project, without=SLOW)

    assert not (project / "app" / "items").exists()
    assert (project / "app" / "notes" / "routes.py").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", WALKS)
def test_a_walk_ends_in_a_green_check(tmp_path: Path, name):
    variant, pages = WALKS[name]
    project = walk.repository(baking.generate(tmp_path, **baking.VARIANTS[variant]))

    for page in pages:
        walk.play(project / "docs" / page, project)
    if not (record := project / "build" / "check.json").exists():
        walk.run(project, "make check")  # this page does not run it

    assert json.loads(record.read_text(encoding="utf-8"))["ok"] is True
