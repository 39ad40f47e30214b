"""Options show only in whole files, and as `# jinja:` lines in a few files."""

import ast
import json
import re

from cookiecutter.generate import is_copy_only_path

from tests.baking import ANSWER, FOLDER, IN_PLACE, ROOT, project_files

MOST_CONDITIONALS = 7
MAY_HOLD_CONDITIONALS = {
    "Makefile",
    "app/dependencies.py",
    "app/settings.py",
    "deploy/compose.md",
    "deploy/compose.yaml",
    "docs/users.md",
    "pyproject.toml",
}


TEMPLATE = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))


def text(name: str) -> str:
    return (IN_PLACE / name).read_text(encoding="utf-8")


def test_conditionals_stand_only_in_the_files_that_may_hold_them():
    holding = {name for name in project_files() if "# jinja:" in text(name)}

    assert holding == MAY_HOLD_CONDITIONALS
    assert len(MAY_HOLD_CONDITIONALS) <= MOST_CONDITIONALS
    assert sum(name.startswith("app/") for name in MAY_HOLD_CONDITIONALS) <= 2


def is_copied(name: str) -> bool:
    return is_copy_only_path(name, {"cookiecutter": TEMPLATE})


def test_the_engine_is_copied_and_never_rendered():
    engine = [name for name in project_files() if name.startswith("vitals/")]

    assert [name for name in engine if not is_copied(name)] == []


def test_a_file_that_is_copied_holds_no_answer():
    copied = [name for name in project_files() if is_copied(name)]

    assert [name for name in copied if ANSWER.search(text(name))] == []


def test_a_file_that_is_rendered_holds_answers_and_no_other_jinja():
    rendered = [name for name in project_files() if not is_copied(name)]

    assert [
        name for name in rendered if re.search(r"{%|{#|{{(?! \(?cookiecutter\.)", text(name))
    ] == []


def test_an_answer_stands_in_python_only_inside_a_string():
    """Nor in an f-string: there an answer could be code."""

    def in_strings(name: str) -> int:
        constants = [n for n in ast.walk(ast.parse(text(name))) if isinstance(n, ast.Constant)]
        return sum(n.value.count("{{ cook") for n in constants if isinstance(n.value, str))

    modules = [name for name in project_files() if name.endswith(".py")]

    assert [name for name in modules if in_strings(name) != text(name).count("{{ cook")] == []


def test_the_hook_holds_no_answer_and_starts_no_program():
    hook = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    imported = {
        alias.name
        for node in ast.walk(ast.parse(hook))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    taken = {node.module for node in ast.walk(ast.parse(hook)) if isinstance(node, ast.ImportFrom)}

    assert "{{" not in hook
    assert imported == {"json", "shutil", "sys"}
    assert taken == {"pathlib", "vitals.ops.project"}


def test_the_template_holds_one_project():
    assert [
        path.name for path in ROOT.iterdir() if "cookiecutter." in path.name and path.is_dir()
    ] == [FOLDER]
