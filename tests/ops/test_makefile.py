import re

from vitals.ops.run import shell

MAKEFILE = (shell.ROOT / "Makefile").read_text()


def test_every_target_is_one_line() -> None:
    recipes = re.findall(r"^[a-z-]+:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)

    assert [recipe for recipe in recipes if recipe.count("\n") != 1] == []


def test_an_unknown_target_is_an_error() -> None:
    assert shell.run(["make", "no-such-target"]).code != 0
