"""Hostile texts in everything that a client controls: none breaks the service."""

import pytest

from app.main import create_app
from app.settings import Settings
from vitals.ops.check.security import hostile
from vitals.ops.run.steps import NOTHING_TO_TEST
from vitals.ops.services.serving import Served

OPERATIONS = hostile.operations(create_app(Settings(environment="test")))

if not OPERATIONS:
    pytest.skip(f"{NOTHING_TO_TEST}: no route", allow_module_level=True)


@pytest.fixture(scope="module")
def answers(service: Served) -> list[hostile.Answer]:
    return list(hostile.answers(service.url, OPERATIONS))


def test_no_hostile_text_is_a_server_error(answers: list[hostile.Answer]) -> None:
    assert [each for each in answers if each.status >= 500] == []


def test_every_error_has_the_shape_of_the_first(answers: list[hostile.Answer]) -> None:
    shapes = {"", answers[0].media_type}

    assert [e for e in answers if e.status >= 400 and e.media_type not in shapes] == []


def test_valid_requests_get_past_the_guards(answers: list[hostile.Answer]) -> None:
    guarded = {each.name for each in OPERATIONS if not each.public}
    valid = [each for each in answers if not each.place]  # JSON is read before a guard is asked
    passed = {each.operation for each in valid if each.status not in hostile.REFUSED}

    assert not guarded or guarded & passed, "Fix: config/slo.toml, [login]"
