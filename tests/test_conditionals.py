"""Where may an option show? In whole files, and as `# jinja:` lines in these few."""

import ast

import pytest

from tests.baking import FOLDER, IN_PLACE, ROOT, project_files

MAY_HOLD_CONDITIONALS = {
    "Makefile",
    "README.md",
    "app/resources.py",
    "app/settings.py",
    "config/common.env",
    "config/production.env",
    "config/staging.env",
    "deploy/compose.yaml",
    "pyproject.toml",
}


def text(name: str) -> str:
    return (IN_PLACE / name).read_text(encoding="utf-8")


def test_conditionals_stand_only_in_the_files_that_may_hold_them():
    holding = {name for name in project_files() if "# jinja:" in text(name)}

    assert holding - MAY_HOLD_CONDITIONALS == set()
    assert len(MAY_HOLD_CONDITIONALS) <= 9
    assert sum(name.startswith("app/") for name in MAY_HOLD_CONDITIONALS) <= 2


def test_no_file_holds_a_jinja_block_or_comment():
    """Only `{{ … }}`, inside quotes or text, and `# jinja:` lines: everything parses as it lies."""
    names = [name for name in project_files() if not name.startswith((".github/", "deploy/"))]

    assert [name for name in names if "{%" in text(name) or "{#" in text(name)] == []


@pytest.mark.parametrize("name", [name for name in project_files() if name.endswith(".py")])
def test_an_answer_stands_in_python_only_inside_a_string(name):
    """No answer is an f-string's code either: there `{{` would print one brace."""
    source = text(name)
    tree = ast.parse(source)
    inside_plain = sum(
        node.value.count("{{")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )

    lines = [line for line in source.splitlines() if not line.lstrip().startswith("# jinja:")]
    assert "\n".join(lines).count("{{ cookiecutter.") <= inside_plain


def test_the_hook_holds_no_answer_and_starts_nothing():
    hook = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    imported = {
        alias.name
        for node in ast.walk(ast.parse(hook))
        if isinstance(node, ast.Import)
        for alias in node.names
    }

    assert "{{" not in hook
    assert imported <= {"json", "shutil"}


def test_the_template_holds_one_project():
    assert [
        path.name for path in ROOT.iterdir() if "cookiecutter." in path.name and path.is_dir()
    ] == [FOLDER]
