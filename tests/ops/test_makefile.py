import re

from vitals.ops.run import shell

MAKEFILE = (shell.ROOT / "Makefile").read_text()
MAIN = "setup run check compare change migration rehearse release deploy rollback"


def printed(*words: str) -> list[str]:
    """The targets that make prints, in order."""
    said = shell.run(["make", *words])
    assert said.code == 0
    return re.findall(r"^  make ([a-z-]+) +[a-z]+ [^\n]+$", said.output, re.MULTILINE)


def test_every_target_is_one_line() -> None:
    recipes = re.findall(r"^[a-z-]+:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)

    assert [recipe for recipe in recipes if recipe.count("\n") != 1] == []


def test_an_unknown_target_is_an_error() -> None:
    assert shell.run(["make", "no-such-target"]).code != 0


def test_make_alone_prints_the_main_targets_in_the_order_of_the_contract() -> None:
    here = [name for name in MAIN.split() if f"\n{name}:" in MAKEFILE]

    assert printed() == here


def test_all_targets_are_printed_by_occasion() -> None:
    every = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)

    assert printed("help", "ALL=1") == every
    occasions = re.findall(r"^##@ (.*)$", MAKEFILE, re.MULTILINE)
    assert occasions == [
        "once",
        "every day",
        "to make it faster",
        "before shipping",
        "shipping",
    ]


def test_every_target_is_phony() -> None:
    """A file of the same name must not stand in for a command."""
    phony = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)", MAKEFILE, re.MULTILINE)
    named = {name for names in phony for name in names.replace("\\\n", " ").split()}

    assert named == set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
