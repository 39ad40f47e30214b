"""Is README.md true?"""

import re

from tests import session
from tests.baking import ROOT

PAGE = session.README.read_text(encoding="utf-8")


def test_the_session_with_ones_own_service_goes_as_shown(tmp_path):
    shown = session.blocks(PAGE)[1]

    played = session.play(shown, tmp_path)

    assert session.without_figures(played) == session.without_figures(shown)


def test_every_target_of_the_template_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    inside = set(
        re.findall(
            r"^([a-z-]+):.*##",
            (ROOT / "{{cookiecutter.project_slug}}/Makefile").read_text(),
            re.MULTILINE,
        )
    )

    assert set(re.findall(r"`make ([a-z-]+)", PAGE)) <= targets | inside


def test_every_file_that_is_linked_exists():
    linked = re.findall(r"\]\(([^)#:]+)\)", PAGE)

    assert [name for name in linked if not (ROOT / name).exists()] == []
    assert linked


def test_it_stays_short_enough_to_be_read():
    assert len(PAGE.splitlines()) <= 250
