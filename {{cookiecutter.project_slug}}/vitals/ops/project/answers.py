"""Changed answers: `make update SET="cache=true deploy=kubernetes"`, and what leaves with them."""

import difflib
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitals.ops.deploy.targets import database
from vitals.ops.project import template
from vitals.ops.run.steps import Refused

SETTING = re.compile(r"^(APP_\w+)=", re.MULTILINE)
DATA = {  # no command deletes it
    ("database", "false"): "the database keeps its tables and local.db its rows; nothing reads "
    "them any more. To keep them, back them up first",
    ("cache", "false"): "the cache keeps its entries until they expire; nothing is lost",
    ("deploy", "kubernetes"): "Docker Compose's volumes stay on their hosts, PostgreSQL's data "
    "too: move it before you stop a host",
    ("deploy", "compose"): "what runs in the cluster stays there: move its data before you delete "
    "the namespace",
}


def given(text: str) -> dict[str, str]:
    """Read SET. Raises `Refused` where a word is no answer, or where one question has two."""
    try:
        pairs = [word.partition("=") for word in shlex.split(text)]
    except ValueError as error:
        raise _refused(text, f"closed quotes ({error})") from error
    for question, equals, _ in pairs:
        if not (question and equals) or [each[0] for each in pairs].count(question) > 1:
            raise _refused(question or text, "question=answer, each question once")
    return {question: answer for question, _, answer in pairs}


def check(answers: Mapping[str, str], questions: Mapping[str, Any]) -> None:
    """Raise `Refused` for an unknown question or choice of the template's cookiecutter.json.

    A text is checked by the template itself, which writes nothing where it refuses one.
    """
    names = [name for name in questions if not name.startswith("_")]
    for question, answer in answers.items():
        if question not in names:
            (nearest,) = difflib.get_close_matches(question, names, n=1, cutoff=0)
            raise _refused(question, f"a question among {', '.join(names)}; nearest: {nearest}")
        choices = questions[question]
        if isinstance(choices, bool):
            choices = ["true", "false"]
        if isinstance(choices, list) and answer not in choices:
            raise _refused(f"{question}={answer}", f"one of {', '.join(choices)}")


def consequences(old: Path, new: Path, changed: Mapping[str, str]) -> list[str]:
    """A line each for new and former questions, and for settings and data that answers move."""
    recorded, taken = (template.recorded(project)["answers"] for project in (old, new))
    lines = [
        f"a new question, {question}: {taken[question]!r} is its default"
        for question in taken.keys() - recorded.keys() - changed.keys()
    ]
    lines += [
        f"a question less, {question}: your answer was {recorded[question]!r}"
        for question in recorded.keys() - taken.keys()
    ]
    before, after = settings(old), settings(new)
    if changed and (gone := sorted(before - after)):
        unset = "unset them where it runs, since an unknown APP_ name stops the start"
        lines.append(f"settings that go: {', '.join(gone)}; {unset}")
    if changed and (come := sorted(after - before)):
        lines.append(f"settings that come: {', '.join(come)}; set them where it runs")
    moved = changed.items() - recorded.items()
    lines += [f"data: {DATA[pair]}" for pair in sorted(moved) if pair in DATA]
    if step := database.another_version(old, new):
        lines.append(f"data: {step}")
    return lines


def settings(project: Path) -> set[str]:
    """The names that config/*.env set."""
    files = (project / "config").glob("*.env")
    return {name for file in files for name in SETTING.findall(file.read_text(encoding="utf-8"))}


def _refused(found: str, expected: str) -> Refused:
    return Refused(f"SET: {found!r}", expected, '`make update SET="cache=true"`')
