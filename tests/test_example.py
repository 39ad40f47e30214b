"""The table of the example's files and lines is complete: the hook and the command rely on it."""

import json

from tests.baking import IN_PLACE, project_files
from vitals.ops.project import remove_example

EXAMPLE = json.loads(remove_example.EXAMPLE_FILE.read_text(encoding="utf-8"))


def test_each_file_of_the_table_exists():
    named = [*EXAMPLE["files"], *EXAMPLE["marked"]]

    assert [name for name in named if not (IN_PLACE / name).exists()] == []


def test_the_files_with_marked_lines_are_those_of_the_table():
    files = [name for name in project_files() if not name.startswith(("vitals/", "locks/"))]
    texts = {name: (IN_PLACE / name).read_text(encoding="utf-8") for name in files}
    marked = [name for name, text in texts.items() if remove_example.MARKED.search(text)]

    assert marked == sorted(EXAMPLE["marked"])


def test_the_table_is_sorted_and_names_nothing_twice():
    assert all(names == sorted(set(names)) for names in EXAMPLE.values())
