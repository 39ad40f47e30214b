import json
import subprocess
from pathlib import Path

import pytest

from vitals.ops.project import remove_example
from vitals.ops.run import git
from vitals.ops.run.steps import Refused

MAIN = """from fastapi import FastAPI

from app import items  # example
from app import orders


def create_app() -> FastAPI:
    app = FastAPI()
    # example begins
    store = items.store()
    app.include_router(items.router(store))
    # example ends
    app.include_router(orders.router())  # not the example
    return app
"""
MAIN_WITHOUT = """from fastapi import FastAPI

from app import orders


def create_app() -> FastAPI:
    app = FastAPI()
    app.include_router(orders.router())  # not the example
    return app
"""
README = """# Orders

<!-- example begins -->
The example: `GET /items`.

<!-- example ends -->
| path | who |
|---|---|
| /items | all | <!-- example -->
| /orders | all |
"""
README_WITHOUT = """# Orders

| path | who |
|---|---|
| /orders | all |
"""
FILES = {
    "app/main.py": MAIN,
    "app/items/routes.py": "the example",
    "app/orders.py": "the team's",
    "migrations/versions/0001.py": "the example",
    "README.md": README,
    ".vitals.json": '{\n  "answers": {\n    "owner": "größe"\n  },\n  "example": true\n}\n',
}
EXAMPLE = {
    "files": ["app/items", "migrations/versions/0001.py", "docs/of-another-answer.md"],
    "marked": ["app/main.py", "README.md", "docs/of-another-answer.toml"],
}


@pytest.fixture
def project(
    somebody: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A committed project with an example and a feature of the team."""
    table = tmp_path_factory.mktemp("table") / "example.json"
    table.write_text(json.dumps(EXAMPLE))
    monkeypatch.setattr("vitals.ops.project.remove_example.EXAMPLE_FILE", table)
    for name, text in FILES.items():
        (somebody / name).parent.mkdir(parents=True, exist_ok=True)
        (somebody / name).write_text(text)
    git.git("add", "--all")
    git.git("commit", "--quiet", "--message", "with the example")
    return somebody


def left(project: Path) -> set[str]:
    files = (path for path in project.rglob("*") if ".git" not in path.parts)
    return {path.relative_to(project).as_posix() for path in files}


def test_files_and_marked_lines_of_the_example_go_and_all_else_stays(project: Path) -> None:
    remove_example.main()

    assert left(project) == {"app", "app/main.py", "app/orders.py", "README.md", ".vitals.json"}
    assert (project / "app" / "main.py").read_text() == MAIN_WITHOUT
    assert (project / "README.md").read_text() == README_WITHOUT


def test_the_record_says_that_the_example_is_gone_and_keeps_its_form(project: Path) -> None:
    remove_example.main()

    expected = FILES[".vitals.json"].replace("true", "false")
    assert (project / ".vitals.json").read_text() == expected


@pytest.mark.parametrize("name", ["app/items/routes.py", "app/items/new.py", "app/main.py"])
def test_uncommitted_work_in_the_example_is_refused_and_kept(name: str, project: Path) -> None:
    (project / name).write_text("work")

    with pytest.raises(Refused, match="1 uncommitted changes in files of the example"):
        remove_example.main()

    assert (project / name).read_text() == "work"
    assert (project / "migrations" / "versions" / "0001.py").exists()


def test_uncommitted_work_elsewhere_is_no_obstacle(project: Path) -> None:
    (project / "app" / "orders.py").write_text("work")

    remove_example.main()

    assert (project / "app" / "orders.py").read_text() == "work"


def test_a_second_time_it_touches_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remove_example.main()
    (project / "app" / "items").mkdir()

    remove_example.main()

    assert capsys.readouterr().out.endswith("the example is already removed\n")
    assert (project / "app" / "items").exists()


def test_a_local_database_with_the_examples_tables_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".git" / "info" / "exclude").write_text("local.db\n")
    (project / "local.db").touch()

    remove_example.main()

    assert capsys.readouterr().out.endswith("Fix: rm local.db\n")


def test_without_git_the_example_goes_too(project: Path) -> None:
    subprocess.run(["rm", "-r", project / ".git"], check=True)

    remove_example.main()

    assert "app/items" not in left(project)
