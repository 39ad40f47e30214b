import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from vitals.ops.release import changes
from vitals.ops.run.steps import Refused

RECORD = {
    "change": "Cache the item list",
    "reason": "p95 of GET /items 412 ms at 20 requests/s",
    "owner": "team-orders",
    "expected": "p95 of GET /items below 120 ms",
    "rollback": "make rollback ENV=production; safe to repeat",
    "not_measured": "only the text of an answer changes",
}
MEASURED = {
    "command": "make compare BASE=v0.1.0",
    "metric": "p95 of GET /items",
    "result": "changes/0001-cache.json",
}
ROW = {
    "metric": "p95 of GET /items",
    "unit": "ms",
    "before": 412.0,
    "after": 118.5,
    "verdict": "-71 %",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that `vitals.ops.run.git` takes for the project."""
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", tmp_path)
    (tmp_path / "changes").mkdir()
    return tmp_path


def write(
    folder: Path, record: Mapping[str, object], measured: dict[str, str] | None = None
) -> Path:
    path = folder / "changes" / "0001-cache.toml"
    lines = [f"{field} = {json.dumps(value)}" for field, value in record.items()]
    if measured:
        lines += ["[measured]", *(f"{field} = {json.dumps(v)}" for field, v in measured.items())]
    path.write_text("\n".join(lines))
    return path


def measure(folder: Path, **changed: object) -> None:
    result = {"command": MEASURED["command"], "rows": [ROW]} | changed
    (folder / "changes" / "0001-cache.json").write_text(json.dumps(result))


def test_a_whole_record_has_no_faults(project: Path) -> None:
    assert changes.read(write(project, RECORD)) == (RECORD, [])


@pytest.mark.parametrize("field", RECORD)
@pytest.mark.parametrize("text", ["", " ", "TODO", "see PR", "Because.", "<why>", "a\nb", 3])
def test_a_field_that_says_nothing_is_named(project: Path, field: str, text: object) -> None:
    _, faults = changes.read(write(project, RECORD | {field: text}))

    assert [fault.split(";")[0] for fault in faults] == [
        f"changes/0001-cache.toml: {field}: {text!r}"
    ]
    assert "expected" in faults[0]


def test_all_missing_fields_are_named_at_once(project: Path) -> None:
    _, faults = changes.read(write(project, {}))

    named = [fault.split(": ")[1] for fault in faults]
    assert named == [*changes.REQUIRED_FIELDS, "not_measured"]
    assert "expected [measured], or why no number can tell" in faults[-1]


def test_an_unknown_field_is_named_with_those_that_are_known(project: Path) -> None:
    _, (fault,) = changes.read(write(project, RECORD | {"assumption": "none"}))

    assert "assumption: unknown; expected change, reason," in fault


def test_a_file_that_is_no_toml_is_named_with_the_line(project: Path) -> None:
    path = write(project, RECORD)
    path.write_text("change = Cache")

    _, (fault,) = changes.read(path)

    assert fault.startswith("changes/0001-cache.toml: ")
    assert "line 1" in fault


@pytest.fixture
def measured_record(project: Path) -> Path:
    record = {field: text for field, text in RECORD.items() if field != "not_measured"}
    measure(project)
    return write(project, record, MEASURED)


def test_the_numbers_of_a_record_are_those_of_its_result(measured_record: Path) -> None:
    record, faults = changes.read(measured_record)

    assert faults == []
    assert changes.measurement(record) == (
        "p95 of GET /items 412 → 118.5 ms (-71 %), by `make compare BASE=v0.1.0`"
    )


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"command": "make compare BASE=v0.0.1"}, "measured.command: 'make compare BASE=v0.1.0'"),
        ({"rows": [ROW | {"metric": "errors"}]}, "measured.metric: 'p95 of GET /items'; expected "),
        (
            {"rows": [ROW | {"before": "fast"}]},
            "measured.result: 'changes/0001-cache.json' is no comparison",
        ),
        ({"rows": None}, "measured.result: 'changes/0001-cache.json' is no comparison"),
    ],
)
def test_a_result_that_does_not_bear_the_record_out_is_named(
    project: Path, measured_record: Path, result: dict[str, object], said: str
) -> None:
    measure(project, **result)

    _, (fault,) = changes.read(measured_record)

    assert said in fault


@pytest.mark.parametrize("result", ["changes/no.json", "../secret.json", "build/result.json"])
def test_a_result_lies_in_changes(project: Path, measured_record: Path, result: str) -> None:
    measured = {**MEASURED, "result": result}
    record = {field: text for field, text in RECORD.items() if field != "not_measured"}

    _, (fault,) = changes.read(write(project, record, measured))

    assert "is not there; expected a file in changes/" in fault
    assert measured_record.exists()


def test_a_record_says_either_how_it_was_measured_or_why_not(
    project: Path, measured_record: Path
) -> None:
    text = measured_record.read_text()
    measured_record.write_text(f'not_measured = "the clock is broken"\n{text}')
    assert "both are there" in changes.read(measured_record)[1][0]

    measured_record.write_text(text.partition("[measured]")[0] + "measured = 412")
    assert "measured.command: missing" in changes.read(measured_record)[1][0]
    assert project.exists()


def test_numbers_cannot_be_typed_by_hand(project: Path, measured_record: Path) -> None:
    measured_record.write_text(measured_record.read_text() + "\nbefore = 412")

    _, (fault,) = changes.read(measured_record)

    assert "measured.before: unknown" in fault
    assert project.exists()


def test_a_new_record_asks_for_what_only_a_person_knows(project: Path) -> None:
    (project / ".vitals.json").write_text('{"answers": {"owner": "team-orders"}}')

    path = changes.write('Say "no" to Über-long names')

    assert path == project / "changes" / "0001-say-no-to-uber-long-names.toml"
    record = tomllib.loads(path.read_text())
    assert record["change"] == 'Say "no" to Über-long names'
    assert record["owner"] == "team-orders"
    _, faults = changes.read(path)
    assert [fault.split(": ")[1] for fault in faults] == [
        "reason",
        "expected",
        "rollback",
        "not_measured",
    ]


def test_records_are_numbered_on_and_none_is_overwritten(project: Path) -> None:
    write(project, RECORD)

    assert changes.write("Cache the item list").name == "0002-cache-the-item-list.toml"
    assert changes.write("日本語").name == "0003-change.toml"


@pytest.mark.parametrize("title", ["", "  ", "fix", "a\nb", "x" * 101])
def test_a_title_that_says_nothing_is_refused(project: Path, title: str) -> None:
    with pytest.raises(Refused, match="what changed, in one line"):
        changes.write(title)

    assert list((project / "changes").iterdir()) == []
