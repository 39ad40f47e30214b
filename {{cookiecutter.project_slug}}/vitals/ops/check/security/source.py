"""Checks of the application's source: what ruff's security rules find, and its own settings."""

import ast
import builtins
import json
import re
from pathlib import Path

from vitals.ops.check.security.checklist import Findings, check
from vitals.ops.check.security.gather import Evidence
from vitals.ops.check.security.schemas import SECRET
from vitals.ops.run import project_file, shell
from vitals.ops.run.steps import Refused
from vitals.settings import PLACEHOLDERS, secret_names

# Without: assert, names that sound like a password, programs that are started.
RUFF = "--isolated --ignore-noqa --select S,T20 --ignore S101,S105,S106,S107,S603,S607"
BROAD = re.compile(rf"\b({'|'.join(dir(builtins))}|\w*(SQLAlchemy|DBAPI|HTTP)Error)\b").search
ANSWER = re.compile(r"\w*(Problem|Exception|Response)").fullmatch


@check("SEC-203", "SecretStr, with a placeholder", "secret://name in config/", "OWASP ASVS 13.3.1")
def settings_hide_secrets(_: Evidence) -> Findings:
    """A setting that is a secret has a type that hides it, and no real value as its default"""
    settings_type = project_file.load_settings_type()
    hidden = secret_names(settings_type)
    for name, field in settings_type.model_fields.items():
        if name not in hidden and SECRET.search(name):
            yield f"APP_{name.upper()}", f"a {field.annotation} that logs and pages may show"
        default = getattr(field.default, "get_secret_value", str)()
        known = "" if "://" in default and "@" not in default else default
        if name in hidden and known and not any(word in known for word in PLACEHOLDERS):
            yield f"APP_{name.upper()} default", "a real value"


@check("SEC-417", "none", "`ruff rule` explains it", "OWASP ASVS 15.2")
def the_code_is_sound(_: Evidence) -> Findings:
    """The application's code prints nothing, and has no weakness that ruff's rules know"""
    command = f"-m ruff check {RUFF} --output-format json app".split()
    finished = shell.run([shell.PYTHON, *command])
    try:
        found = json.loads(finished.output)
    except ValueError as error:
        raise Refused("ruff failed", "its findings as JSON", output=finished.output) from error
    for each in found:
        file = Path(each["filename"]).relative_to(shell.ROOT)
        yield f"{file}:{each['location']['row']} {each['code']}", each["message"]


@check("SEC-210", "a text of your own", "log the exception's type", "OWASP ASVS 16.5.1")
def answers_do_not_quote_exceptions(_: Evidence) -> Findings:
    """No answer is made of the text of an exception of Python's or of a library's"""
    for file in sorted((shell.ROOT / "app").rglob("*.py")):
        for each in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(each, ast.ExceptHandler) and each.type and BROAD(ast.unparse(each.type)):
                calls = (node for node in ast.walk(each) if isinstance(node, ast.Call))
                for call in (c for c in calls if ANSWER(ast.unparse(c.func).rpartition(".")[2])):
                    if any(isinstance(n, ast.Name) and n.id == each.name for n in ast.walk(call)):
                        yield f"{file.relative_to(shell.ROOT)}:{call.lineno}", "quotes an exception"
