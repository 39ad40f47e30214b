"""Clients of the last release, on two slots with given answers; tests/containers has real ones."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ops import place, shipping
from tests.ops.place import Answers, Place, answering
from vitals.ops.check.api_answers import invalid
from vitals.ops.deploy import clients
from vitals.ops.measure import load
from vitals.ops.measure.session import Session
from vitals.ops.project.token import Issuer
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused

ITEM = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "size": {"enum": ["s", "m"]}},
    "required": ["id"],
}
ANSWER = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/I"}}}}}
BODY = {"type": "object", "properties": {"name": {"type": "string"}}}
DESCRIPTION = {
    "paths": {
        "/items/{item_id}": {
            "get": {
                "parameters": [
                    {"in": "path", "name": "item_id", "schema": {"type": "integer", "minimum": 1}}
                ],
                "responses": ANSWER,
            }
        },
        "/items": {
            "post": {
                "requestBody": {"content": {"application/json": {"schema": BODY}}},
                "responses": ANSWER,
            }
        },
    },
    "components": {"schemas": {"I": ITEM}},
}


class TwoVersions(Place):
    """Both slots run; the second is live, and answers `changed` otherwise."""

    def __init__(self, folder: Path, changed: Answers) -> None:
        super().__init__(folder)
        self.changed = changed
        self.switch("green", "")

    @contextmanager
    def reach(self, slot: str) -> Iterator[str]:
        changed = self.changed if slot == "green" else {}
        answers: Answers = {"/items": (200, {"id": 1, "size": "s"}), **changed}
        with answering(Build(slot, slot), answers) as url:
            yield url


@pytest.fixture
def before(somebody: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The last release, of a project that is committed."""
    shipping.change("app/main.py")
    git.git("add", "--all")
    git.git("commit", "--quiet", "--message=first")
    folder = tmp_path_factory.mktemp("release")
    (folder / "docs").mkdir()
    (folder / "docs" / "openapi.json").write_text(json.dumps(DESCRIPTION))
    assert somebody == shell.ROOT
    release = place.release("v1.2.0", folder)
    return release._replace(build=Build("v1.2.0", git.git("rev-parse", "HEAD")))


def compared(before: Release, folder: Path, changed: Answers) -> str:
    session = Session(load.read(before.folder))
    return clients.compare(TwoVersions(folder, changed), before, session, Issuer())


def test_a_version_that_answers_as_before_is_let_through(before: Release, tmp_path: Path) -> None:
    assert compared(before, tmp_path, {}) == "5 requests of clients of v1.2.0"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"/items/1": (500, {})}, "GET /items/{item_id}: answered 500, before 200"),
        ({"/items/1": (404, {})}, "GET /items/{item_id} of slo.toml: answered 404, before 200"),
        ({"/items/1": (201, {"id": 1})}, "answered 201, which isn't described"),
        ({"/items/1": (200, {"size": "s"})}, "GET /items/{item_id}: answer.id is missing"),
        ({"/items/1": (200, {"id": "1"})}, "answer.id is string, not integer"),
        ({"/items/1": (200, {"id": 1, "size": "l"})}, "answer.size is string, not ['s', 'm']"),
        ({"/items": (200, {"id": None})}, "POST /items: answer.id is null, not integer"),
    ],
)
def test_an_answer_that_clients_do_not_expect_is_named(
    before: Release, tmp_path: Path, changed: Answers, said: str
) -> None:
    with pytest.raises(Refused, match=r"clients of v1\.2\.0 break") as refused:
        compared(before, tmp_path, changed)

    assert said in refused.value.output


@pytest.mark.parametrize(
    "changed",
    [
        {"/items/1": (200, {"id": 1, "more": 2})},
        {"/items": (409, {})},
    ],
    ids=["one more field", "a conflict with what the other version has stored"],
)
def test_what_clients_can_live_with_is_let_through(
    before: Release, tmp_path: Path, changed: Answers
) -> None:
    assert compared(before, tmp_path, changed)


def test_a_break_that_is_on_record_is_let_through(before: Release, tmp_path: Path) -> None:
    shipping.change("changes/0001-gone.toml")
    with (shell.ROOT / "changes" / "0001-gone.toml").open("a") as record:
        record.write('breaks = "clients ask for another path"\n')

    said = compared(before, tmp_path, {"/items/1": (404, {})})

    assert said == "5 requests of clients of v1.2.0; 2 break, as a record says"


def test_a_release_without_a_description_has_its_slo_requests(
    before: Release, tmp_path: Path
) -> None:
    (before.folder / "docs" / "openapi.json").unlink()

    assert compared(before, tmp_path, {}) == "3 requests of clients of v1.2.0"


TREE = {"type": "object", "properties": {"below": {"type": "array", "items": {"$ref": "#/T"}}}}


@pytest.mark.parametrize(
    ("value", "schema", "found"),
    [
        ({"below": [{"below": [{}]}]}, TREE, []),
        ({"below": [{"below": 1}]}, TREE, ["answer.below[].below is integer, not array"]),
        (1, {"type": "number"}, []),
        (1.5, {"type": "integer"}, ["answer is number, not integer"]),
        (None, {"anyOf": [{"type": "string"}, {"type": "null"}]}, []),
        (
            {"a": 1},
            {"additionalProperties": {"type": "string"}},
            ["answer.a is integer, not string"],
        ),
        ({"any": [1, None]}, {}, []),
    ],
)
def test_a_value_is_held_against_its_schema(value: Any, schema: Any, found: list[str]) -> None:
    assert invalid(value, schema, {"T": TREE}) == found
