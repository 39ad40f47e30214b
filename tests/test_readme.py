"""Is README.md true?"""

from tests import session

PAGE = session.README.read_text(encoding="utf-8")


def test_the_session_with_ones_own_service_goes_as_shown(tmp_path):
    shown = session.blocks(PAGE)[1]

    played = session.play(shown, tmp_path)

    assert session.without_figures(played) == session.without_figures(shown)


def test_it_stays_short_enough_to_be_read():
    assert len(PAGE.splitlines()) <= 250
