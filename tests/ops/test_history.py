import json

import pytest

from vitals.ops.deploy import history
from vitals.ops.run.steps import Refused


def entries(*versions: str) -> list[history.Entry]:
    """One entry for each version, in slots that take turns; `v1<v2` is a rollback from v2."""
    made = []
    for number, name in enumerate(versions):
        version, _, left = name.partition("<")
        what = "rollback" if left else "deploy"
        made.append(
            history.Entry(what, version, "c0ffee", ("blue", "green")[number % 2], left=left)
        )
    return made


def test_what_is_written_is_read_again() -> None:
    written = entries("v1", "v2")

    assert history.read(history.written(written), "green") == written


def test_an_entry_whose_switch_never_happened_does_not_count() -> None:
    written = entries("v1", "v2", "v3")

    assert history.read(history.written(written), "green") == written[:2]


def test_where_nothing_is_live_the_history_is_empty() -> None:
    assert history.read("", "") == []
    assert history.read(history.written(entries("v1")), "") == []


@pytest.mark.parametrize(
    ("versions", "goal"),
    [
        (["v1", "v2"], "v1"),
        (["v1", "v2", "v3"], "v2"),
        (["v1", "v2", "v3", "v2<v3"], "v1"),
        (["v1", "v2", "v1<v2", "v3"], "v1"),
        (["v1", "v2", "v2", "v2"], "v1"),
    ],
)
def test_a_rollback_goes_to_the_previous_good_version(versions: list[str], goal: str) -> None:
    assert history.previous_good(entries(*versions)).version == goal


@pytest.mark.parametrize("versions", [[], ["v1"], ["v1", "v1"], ["v1", "v2", "v1<v2"]])
def test_without_an_earlier_good_version_a_rollback_is_refused(versions: list[str]) -> None:
    with pytest.raises(Refused):
        history.previous_good(entries(*versions))


def test_many_entries_do_not_grow_without_bounds() -> None:
    read = history.read(history.written(entries(*["v1"] * 500)), "green")

    assert len(read) == history.KEPT


def test_an_entry_states_who_what_and_when() -> None:
    [said] = map(str, entries("v1<v2"))

    assert "v1  rollback by " in said
    assert "v2 is marked bad" in said


def test_fields_that_a_newer_engine_wrote_are_kept() -> None:
    [entry] = json.loads(history.written(entries("v1")))
    newer = json.dumps([{**entry, "watched": True}])

    [again] = json.loads(history.written(history.read(newer, "blue")))

    assert again["watched"] is True


def test_an_entry_of_the_first_engine_is_read() -> None:
    first = {"what": "deploy", "version": "v1", "commit": "c", "slot": "blue"}
    text = json.dumps([{**first, "who": "ada@host", "at": "2026-01-01T00:00:00Z", "left": ""}])

    assert str(history.read(text, "blue")[0]) == "2026-01-01T00:00:00Z  v1  deploy by ada@host"


def test_live_warm_and_one_more_are_what_lasts() -> None:
    lasting = history.lasting(entries("v1", "v2", "v3", "v4", "v3<v4"))

    assert [each.version for each in lasting] == ["v3", "v4", "v2"]
