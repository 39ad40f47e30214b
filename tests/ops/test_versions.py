import pytest

from vitals.ops.release import versions
from vitals.ops.run.steps import Refused


@pytest.mark.parametrize(
    ("tag", "level", "next_tag"),
    [
        (None, "minor", "v0.1.0"),
        ("v0.1.0", "patch", "v0.1.1"),
        ("v0.1.9", "minor", "v0.2.0"),
        ("v0.9.3", "major", "v1.0.0"),
        ("v1.9.0", "minor", "v1.10.0"),
    ],
)
def test_a_version_follows_by_its_level(tag: str | None, level: str, next_tag: str) -> None:
    assert versions.following(tag, level) == next_tag


@pytest.mark.parametrize("level", ["patch", "major"])
def test_the_first_version_is_minor(level: str) -> None:
    with pytest.raises(Refused, match=r"v0\.1\.0 as the first version"):
        versions.following(None, level)


@pytest.mark.parametrize("level", ["", "Minor", "huge", "v1.0.0"])
def test_an_unknown_level_is_refused_with_those_that_are_known(level: str) -> None:
    with pytest.raises(Refused, match="patch, minor or major"):
        versions.following("v0.1.0", level)


def test_versions_are_ordered_by_their_numbers_and_nothing_else_is_one() -> None:
    tags = ["v0.9.0", "v0.10.0", "v1.0", "1.0.0", "v1.0.0-rc1", "v01.0.0", "v0.1.0", "latest"]

    assert versions.sort(tags) == ["v0.10.0", "v0.9.0", "v0.1.0"]
    assert versions.newest(tags) == "v0.10.0"
    assert versions.newest(["latest"]) is None
