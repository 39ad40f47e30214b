"""The engine's checksums, which tell every project what its team has edited."""

from tests.baking import IN_PLACE
from vitals.ops.check import engine


def test_the_manifest_lists_the_engine_as_it_lies_here():
    committed = (IN_PLACE / engine.MANIFEST).read_text(encoding="utf-8")

    assert committed == engine.text(IN_PLACE), "stale: `make manifest` renews it"
