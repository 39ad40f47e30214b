from pathlib import Path

import pytest

from vitals.ops.run import project_file
from vitals.ops.run.steps import Refused
from vitals.settings import Settings


def says(folder: Path, table: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.vitals]\n{table}\n")


def test_a_name_of_the_table_is_imported(repository: Path) -> None:
    says(repository, 'settings = "vitals.settings:Settings"')

    assert project_file.load_settings_type() is Settings


@pytest.mark.parametrize("name", ["", "vitals.settings", "vitals.settings:Nothing", "nowhere:app"])
def test_a_name_that_leads_nowhere_is_refused_with_its_place(name: str, repository: Path) -> None:
    says(repository, f'application = "{name}"')

    with pytest.raises(Refused, match=r"pyproject.toml, \[tool.vitals\] application = "):
        project_file.load("application")


def test_a_project_without_the_table_has_an_empty_one(repository: Path) -> None:
    (repository / "pyproject.toml").write_text("[project]\n")

    assert project_file.table() == {}
