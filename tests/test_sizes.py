"""Sizes of what a team owns in a generated project: each is within its limit."""

from benchmarks import foundation


def test_what_the_team_owns_is_within_its_limits():
    owned = [size for size in foundation.sizes() if not size.part.startswith("vitals/")]

    assert [size for size in owned if size.found > size.limit] == []
