import re

from ops import shell

MAKEFILE = (shell.ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, re.MULTILINE)


def test_make_alone_explains_every_target() -> None:
    printed = shell.must(["make", "--no-print-directory"])

    assert re.findall(r"^  make ([a-z-]+) +\w", printed, re.MULTILINE) == TARGETS


def test_every_target_is_one_line() -> None:
    recipes = re.findall(r"^[a-z-]+:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)

    assert [recipe for recipe in recipes if recipe.count("\n") != 1] == []


def test_every_module_that_make_calls_is_there() -> None:
    called = set(re.findall(r"\bops\.(\w+)", MAKEFILE))
    there = {file.stem for file in (shell.ROOT / "ops").glob("*.py")}
    there |= {file.parent.name for file in (shell.ROOT / "ops").glob("*/__main__.py")}

    assert called - there == set()


def test_an_unknown_target_is_an_error() -> None:
    assert shell.run(["make", "no-such-target"]).code != 0


def test_no_file_can_stand_in_for_a_target() -> None:
    phony = " ".join(re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)).split()

    assert sorted(phony) == sorted(TARGETS)
