"""Checks of the application's code."""

import ast
import builtins
import re

from vitals.ops.check.security.checklist import Findings, check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.run import shell

# Without: assert, names that sound like a password, programs that are started.
RUFF = "--isolated --ignore-noqa --select S,T20 --ignore S101,S105,S106,S107,S603,S607"
BROAD = re.compile(rf"\b({'|'.join(dir(builtins))}|\w*(SQLAlchemy|DBAPI|HTTP)Error)\b").search
ANSWER = re.compile(r"\w*(Problem|Exception|Response)").fullmatch


@check("SEC-417", "none", "`ruff rule` explains it", "OWASP ASVS 15.2")
def the_code_is_sound(_: Evidence) -> Findings:
    """The application's code prints nothing, and has no weakness that ruff's rules know"""
    command = f"-m ruff check {RUFF} --quiet --output-format concise app".split()
    for line in shell.run([shell.PYTHON, *command]).output.splitlines():
        place, code, text = line.split(" ", 2)
        yield f"{place.rpartition(':')[0].rpartition(':')[0]} {code}", text


@check("SEC-210", "a text of your own", "log the exception's type", "OWASP ASVS 16.5.1")
def answers_do_not_quote_exceptions(_: Evidence) -> Findings:
    """No answer is made of the text of an exception of Python's or of a library's"""
    for file in sorted((shell.ROOT / "app").rglob("*.py")):
        for each in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(each, ast.ExceptHandler) and each.type and BROAD(ast.unparse(each.type)):
                for node in (n for n in ast.walk(each) if isinstance(n, ast.Call | ast.Return)):
                    if _is_answer(node) and _holds(node, each.name):
                        yield f"{file.relative_to(shell.ROOT)}:{node.lineno}", "quotes an exception"


def _is_answer(node: ast.Call | ast.Return) -> bool:
    """Whether a node makes an answer; a function that only handles the error makes none."""
    if isinstance(node, ast.Call):
        return bool(ANSWER(ast.unparse(node.func).rpartition(".")[2]))
    return isinstance(node.value, ast.Dict)


def _holds(node: ast.AST, name: str | None) -> bool:
    """Whether a node uses a variable, other than for its type."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "type":
        return False
    if isinstance(node, ast.Name):
        return node.id == name
    return any(_holds(inner, name) for inner in ast.iter_child_nodes(node))
