"""What can be set, called, scraped and found? `python -m tests.reference` writes docs/reference.md.

It is read from the code of the project inside the template, without running any of it.
"""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.baking import IN_PLACE, ROOT

PAGE = ROOT / "docs" / "reference.md"
TARGET = re.compile(r"^##@ (.+)$|^([a-z-]+):.*## (.+)$", re.MULTILINE)
HEAD = """\
# Reference

Settings, targets, metrics and findings of a generated service, with all options on.
`.venv/bin/python -m tests.reference` writes this page from the code; a test proves it current.
"""


class Setting(NamedTuple):
    variable: str
    default: str
    bounds: str
    meaning: str


def parsed(name: str) -> ast.Module:
    return ast.parse((IN_PLACE / name).read_text(encoding="utf-8"))


def shown(node: ast.expr | None) -> str:
    """A value as somebody would type it into the environment."""
    match node:
        case ast.Call(args=[inner, *_]):  # SecretStr("…"), Path("…")
            return shown(inner)
        case ast.Tuple(elts=parts):
            return ",".join(shown(part) for part in parts)
        case ast.Constant(value=bool() as value):
            return str(value).lower()
        case ast.Constant(value=value):
            return str(value)
    return ""


def bounds(annotation: ast.expr, limits: dict[str, ast.expr]) -> str:
    """The values that are taken: a choice, or from least to most."""
    match annotation:
        case ast.Subscript(value=ast.Attribute(attr="Literal"), slice=ast.Tuple(elts=choices)):
            return ", ".join(f"`{shown(choice)}`" for choice in choices)
        case ast.Name(id="bool"):
            return "`true`, `false`"
    if "ge" in limits and "le" in limits:
        return f"{shown(limits['ge'])} to {shown(limits['le'])}"
    return ""


def settings() -> Iterator[Setting]:
    """The fields of `Settings`, in their order."""
    (model,) = [
        node
        for node in ast.walk(parsed("vitals/settings.py"))
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    ]
    for field, said in pairwise(model.body):
        match field, said:
            case (
                ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=ast.Call() as call),
                ast.Expr(value=meaning),
            ):
                given = {word.arg: word.value for word in call.keywords if word.arg}
                default = shown(call.args[0])
                yield Setting(f"APP_{name.upper()}", default, bounds(kind, given), shown(meaning))


def targets(makefile: Path) -> list[tuple[str, str, str]]:
    """Occasion, target and sentence of each target, as `make help` prints them."""
    found = []
    occasion = ""
    for heading, target, sentence in TARGET.findall(makefile.read_text(encoding="utf-8")):
        occasion = heading or occasion
        if target:
            found.append((occasion, target, sentence))
    return found


def metrics() -> dict[str, tuple[str, str]]:
    """Type and meaning of each metric: the table that /metrics is written from."""
    (table,) = [
        node.value
        for node in ast.walk(parsed("vitals/observability/metrics.py"))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TABLE"
    ]
    return ast.literal_eval(table)


def findings() -> list[tuple[str, str]]:
    """Id and title of each check that `make security` makes."""
    found = []
    for file in sorted((IN_PLACE / "ops" / "security").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                first = (ast.get_docstring(node) or "").split("\n")[0]
                found += [(id_, first) for id_ in map(finding_id, node.decorator_list) if id_]
    return sorted(found)


def finding_id(decorator: ast.expr) -> str:
    match decorator:
        case ast.Call(args=[ast.Constant(value=str() as id_), *_]) if id_.startswith("SEC-"):
            return id_
    return ""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def page() -> str:
    """The whole page."""
    told = [
        (f"`{s.variable}`", f"`{s.default}`" if s.default else "", s.bounds, s.meaning)
        for s in settings()
    ]
    called = [
        (occasion, f"`make {target}`", sentence)
        for occasion, target, sentence in targets(IN_PLACE / "Makefile")
    ]
    scraped = [(f"`{name}`", kind, meaning) for name, (kind, meaning) in metrics().items()]
    return f"""{HEAD}
## Settings

Environment variables, with their defaults in `local` and `test`; in `local` the log is text, the
API's pages and `Server-Timing` are on. Staging and production must be given every one of them.

{table(("setting", "default", "takes", "what for"), told)}
## Targets

{table(("when", "target", "what it does"), called)}
## Metrics

Labels and units stand in the project's `deploy/prometheus/README.md`.

{table(("metric", "type", "what"), scraped)}
## Findings of `make security`

Each finding says what was found, what is expected, the way out, and where the rule comes from.
Besides these there are SEC-001, an accepted exception that is over, and SEC-002, one without need.

{table(("id", "what holds"), findings())}"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
