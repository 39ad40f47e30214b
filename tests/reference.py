"""The reference: `python -m tests.reference` writes docs/reference.md, and tables of SECURITY.md.

Settings, targets, metrics, health checks and security checks are read from the code of the project
inside the template.
"""

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.baking import IN_PLACE, ROOT

sys.path.append(str(IN_PLACE))

from vitals.ops.check.security.__main__ import CHECKS

PAGE, SECURITY = ROOT / "docs" / "reference.md", IN_PLACE / "SECURITY.md"
GROUP = re.compile(r"(?<=^### )(\d)( .*\n\n)(?:\|.*\n)*", re.MULTILINE)
TARGET = re.compile(r"^##@ (.+)$|^([a-z-]+):.*## (.+)$", re.MULTILINE)
HEAD = """\
# Reference

Settings, targets, metrics and security checks of a generated service, with all options on.
`.venv/bin/python -m tests.reference` writes this page from the code; a test refuses a stale one.
"""


class Setting(NamedTuple):
    variable: str
    default: str
    bounds: str
    meaning: str


def parsed(name: str) -> ast.Module:
    return ast.parse((IN_PLACE / name).read_text(encoding="utf-8"))


def literal(node: ast.expr | None) -> str:
    """A value as it is written in the environment."""
    match node:
        case ast.Call(args=[inner, *_]):  # SecretStr("…"), Path("…")
            return literal(inner)
        case ast.Tuple(elts=parts):
            return ",".join(literal(part) for part in parts)
        case ast.Constant(value=bool() as value):
            return str(value).lower()
        case ast.Constant(value=value):
            return str(value)
    return ""


def bounds(annotation: ast.expr, limits: dict[str, ast.expr]) -> str:
    """The valid values: a choice, or a range."""
    match annotation:
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Tuple(elts=choices)):
            return ", ".join(f"`{literal(choice)}`" for choice in choices)
        case ast.Name(id="bool"):
            return "`true`, `false`"
    if "ge" in limits and "le" in limits:
        return f"{literal(limits['ge'])} to {literal(limits['le'])}"
    return ""


def settings() -> Iterator[Setting]:
    """The fields of all settings classes, in their order."""
    classes = [node for node in parsed("vitals/settings.py").body if isinstance(node, ast.ClassDef)]
    for field, said in (pair for model in classes for pair in pairwise(model.body)):
        match field, said:
            case (
                ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=value),
                ast.Expr(value=meaning),
            ):
                call = value if isinstance(value, ast.Call) else ast.Call(kind, [], [])
                given = {word.arg: word.value for word in call.keywords if word.arg}
                default = literal(call.args[0]) if call.args else ""
                yield Setting(f"APP_{name.upper()}", default, bounds(kind, given), literal(meaning))


def not_required() -> str:
    """The settings that have a default in staging and production too."""
    (names,) = [
        node.value
        for node in parsed("vitals/settings_loader.py").body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "OPTIONAL"
    ]
    *first, last = (f"`APP_{name.upper()}`" for name in sorted(ast.literal_eval(names)))
    return f"{', '.join(first)} and {last}"


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
    """Type and meaning of each metric, from the table behind /metrics."""
    (table,) = [
        node.value
        for node in ast.walk(parsed("vitals/observability/metric_types.py"))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "METRICS"
    ]
    return ast.literal_eval(table)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def page() -> str:
    """The whole page."""
    described = [
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

Environment variables, with their defaults in `local` and `test`. In `local` the log is text, and
`/docs` and `Server-Timing` are on. `APP_ENVIRONMENT` has no default. Staging and production need a
value for each setting, except {not_required()}.
`APP_AUTH=jwt` needs the settings of tokens.
The settings of the database and of the cache exist only in a service that has them.

{table(("setting", "default", "valid values", "meaning"), described)}
## Targets

{table(("when", "target", "what it does"), called)}
## Metrics

The project's `deploy/prometheus/README.md` lists labels and units.

{table(("metric", "type", "meaning"), scraped)}
## Checks of `make security`

Each finding says what was found, what is expected, how to fix it, and the rule's source. Two more
are about accepted findings: SEC-001, the exception expired; SEC-002, it is not needed.

{table(("id", "rule"), [(check.id, check.title) for check in CHECKS])}"""


def security() -> str:
    """SECURITY.md, in which the group 6 has the checks SEC-6…"""

    def group(found: re.Match[str]) -> str:
        rows = [(c.id, c.title, c.reference) for c in CHECKS if c.id.startswith(f"SEC-{found[1]}")]
        return f"{found[1]}{found[2]}{table(('id', 'what holds', 'see'), rows)}"

    return GROUP.sub(group, SECURITY.read_text(encoding="utf-8"))


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    SECURITY.write_text(security(), encoding="utf-8")


if __name__ == "__main__":
    main()
