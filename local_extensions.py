"""Rules for answers: what the template accepts, and its refusals.

Each question has a row in RULES; cookiecutter.json applies its filter right after the question.
An answer is text and never a template, wherever it comes from.
"""

import difflib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import click
from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension

from template_origin import template_commit, template_url, template_version, user_configuration

ASKED = json.loads(Path(__file__).with_name("cookiecutter.json").read_text(encoding="utf-8"))
QUESTIONS = [key for key in ASKED if not key.startswith("_")]
BOOLEANS = re.compile("1|0|true|false|t|f|yes|no|y|n|on|off", re.IGNORECASE)
FOLDER = "{{cookiecutter.project_slug}}"
UNQUOTABLE = set("\"'`\\{}")


class Rule(NamedTuple):
    fits: Callable[[str], bool]
    expected: str
    example: str


def is_one_line(value: str, shortest: int, longest: int) -> bool:
    """Whether the text needs no escapes between quotes in Python, TOML, YAML and JSON.

    isprintable() also refuses control, bidirectional and invisible characters.
    """
    within = shortest <= len(value) <= longest
    return within and value.isprintable() and value == value.strip() and not set(value) & UNQUOTABLE


RULES = {
    "project_name": Rule(
        lambda value: is_one_line(value, 3, 60),
        "3 to 60 printable characters without quotes, backslashes and braces",
        "Orders API",
    ),
    "project_slug": Rule(
        lambda value: bool(re.fullmatch(r"(?!.*--)[a-z][a-z0-9-]{1,38}[a-z0-9]", value)),
        "3 to 40 lower-case letters, digits and single hyphens, starting with a letter",
        "orders-api",
    ),
    "description": Rule(
        lambda value: is_one_line(value, 1, 120),
        "one line of 1 to 120 printable characters without quotes, backslashes and braces",
        "Keeps a list of items and what they cost.",
    ),
    "owner": Rule(
        lambda value: bool(re.fullmatch(r"@?[A-Za-z0-9][A-Za-z0-9._@/+-]{0,79}", value)),
        "a team, a handle or an e-mail address of up to 80 letters, digits and ._@/+-",
        "team-orders",
    ),
}


def refusal(question: str, got: object, expected: str, example: str) -> FailedHookException:
    """The one line that the user sees; cookiecutter prints it and exits with 1."""
    quoted = repr(got) if len(repr(got)) <= 80 else repr(got)[:80] + "…"
    return FailedHookException(
        f"{question}: got {quoted}; expected {expected}, e.g. '{example}'. "
        "Nothing was written; safe to retry."
    )


def check_for(question: str) -> Callable[[object], str]:
    """Make the filter that returns the question's answer, or raises FailedHookException."""
    rule = RULES[question]

    def check(answer: object) -> str:
        if isinstance(answer, str) and rule.fits(answer):
            return answer
        raise refusal(question, answer, rule.expected, rule.example)

    return check


def check_choice(question: str, answer: object, where: str = "") -> None:
    """Raise FailedHookException unless the answer is a choice of the question, or a boolean."""
    choices = ASKED[question]
    if isinstance(choices, str):
        return  # a text without a rule
    if isinstance(choices, bool):
        fits = isinstance(answer, bool | str) and BOOLEANS.fullmatch(str(answer))
        expected, example = "true or false", str(choices).lower()
    else:
        fits, expected, example = answer in choices, f"one of {', '.join(choices)}", choices[0]
    if not fits:
        raise refusal(f"{question}{where}", answer, expected, example)


def refuse_bad_configuration() -> None:
    """Refuse a bad choice in the user's configuration: cookiecutter drops all of it silently.

    Only for a command: a program's configuration can't be seen from here.
    """
    if not click.get_current_context(silent=True):
        return
    answers = user_configuration()["default_context"]
    for question in answers.keys() & set(QUESTIONS) - RULES.keys():
        check_choice(question, answers[question], " in the user's cookiecutter configuration")


def checked_folder(answers: Mapping[str, object], source: str) -> str:
    """The project's folder, after all answers are checked: --replay passes by the other checks.

    The source itself before there is an answer: somebody gave it as one.
    """
    if "project_slug" not in answers:
        return source
    for question in QUESTIONS:
        if question in RULES:
            check_for(question)(answers.get(question))
        else:
            check_choice(question, answers.get(question))
    return str(answers["project_slug"])


def refuse_unknown_questions() -> None:
    """Refuse answers to unknown questions, which cookiecutter ignores silently."""
    context = click.get_current_context(silent=True)
    answers = context.params.get("extra_context") if context else None
    if not isinstance(answers, Mapping):
        return
    for key in (key for key in answers if key not in QUESTIONS):
        nearest = difflib.get_close_matches(key, QUESTIONS, n=1, cutoff=0)[0]
        quoted = key if key.isidentifier() else repr(key)
        raise refusal(
            quoted[:80], answers[key], f"a question among {', '.join(QUESTIONS)}", nearest
        )


class Answers(Extension):
    """Adds the filters, and prevents Jinja from running an answer as a template."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.has_rendered = False
        environment.filters |= {f"checked_{question}": check_for(question) for question in RULES}
        environment.filters |= {
            made.__name__: made
            for made in (checked_folder, template_url, template_version, template_commit)
        }
        refuse_unknown_questions()
        refuse_bad_configuration()

    def preprocess(self, source: str, name: str | None, _filename: str | None = None) -> str:
        """Keep as templates only files, cookiecutter.json's own values and the project's folder.

        cookiecutter takes an answer on the command line for a question's default, and renders it.
        The folder's name is a template only where it is the first thing that is rendered.
        """
        is_first, self.has_rendered = not self.has_rendered, True
        if name is not None or source in ASKED.values():
            return source
        if is_first and source == FOLDER:
            return f"{{{{ cookiecutter | checked_folder({source!a}) }}}}"
        return f"{{{{ {source!a} }}}}"
