"""README.md: its session, and its length."""

import pytest

from tests import session

PAGE = session.README.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_session_of_a_new_service_gives_the_output_that_is_shown(tmp_path):
    expected = session.blocks(PAGE)[1]

    played = session.play(expected, tmp_path)

    assert session.without_figures(played) == session.without_figures(expected)


def test_it_has_at_most_205_lines():
    assert len(PAGE.splitlines()) <= 205
