"""The words of the product: the field's standard terms, one meaning each.

Each old identifier must be gone as a name in the code, and each old sentence as text.
"""

import ast
import re

from tests.baking import ROOT, template_files

# fmt: off
OLD_NAMES = {
    "Cost", "middle", "opened", "outside", "variables", "verdict",
    "CALLS", "CUT_SECONDS", "Cors", "Deadlines", "ENDS", "Elsewhere", "Gate", "Ground", "HERE",
    "Hosts", "Keys", "Lasting", "Listed", "PASSING", "Play", "REQUIRED", "Recorder", "Running",
    "SECONDS", "SHAPE", "Side", "Stage", "TABLE", "THERE", "Tally", "Tokens", "Unfit",
    "Visibility", "_answered", "_ask", "_ask_on", "_come_back", "_lose", "_round", "_to_clear",
    "account", "asked", "boundary", "build_layers", "everybody", "far", "handed_over", "kept",
    "leaks", "levelled", "must", "near", "pick", "raised", "says_yes", "scene", "shown",
    "sisters", "situation", "stand_ins", "student", "told", "trail", "unnamed_tag",
}
# fmt: on
OLD_SENTENCES = (
    "answers for it.",
    "Operators are all who run it locally",
    "A slow or doubtful route",
    "not given; outside local and test it must be",
    "Who are you?",
    "This is our fault",
    "The service can't answer now",
    "A yes that is too old",
    "Be not ready from now on",
    "not at its best",
    "what stands below is old",
    "For whoever was woken",
    "an index is most often what lacks",
    "A promise of nobody",
    "closed to somebody whom nobody knows",
    "none of root's powers",
    "a name without notes",
    "git asked no hook",
    "another configuration would be handed over",
    "it ran on another tree than this",
    "mend it or decide anew",
    "a request id that is none",
    "Way out",
    "way out",
)
KEPT = {
    "verdict": "a member of the results of `make compare` that projects have committed"
}  # why it stays


def named(tree: ast.Module) -> set[str]:
    """Every identifier that a module makes or uses."""
    found = set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.AsyncFunctionDef(name=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                found.add(name)
            case ast.alias(name=name, asname=asname):
                found.add(asname or name)
    return found


def test_no_old_name_is_left_in_the_code():
    left = {
        path: old
        for path in template_files()
        if path.endswith(".py")
        and (old := named(ast.parse((ROOT / path).read_text("utf-8"))) & OLD_NAMES - KEPT.keys())
    }

    assert left == {}


def test_no_old_sentence_is_left_anywhere():
    left = [
        f"{path}: {sentence}"
        for path in template_files()
        if path.endswith((".py", ".md", ".js", ".html", ".yaml", ".toml", ".env"))
        and path != "tests/test_names.py"
        for sentence in OLD_SENTENCES
        if sentence in re.sub(r"\s+", " ", (ROOT / path).read_text(encoding="utf-8"))
    ]

    assert [line for line in left if line.partition(": ")[2] not in KEPT] == []
