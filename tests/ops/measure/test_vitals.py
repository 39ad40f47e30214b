"""The vitals: read from what the service reports."""

import pytest

from vitals.ops.measure import vitals
from vitals.ops.measure.vitals import RequestCost

LINE = {"duration_ms": 1.25, "status": 200, "db_calls": 2, "db_ms": 0.5, "cache": "miss", "x": 1}


def test_a_line_of_the_log_has_the_cost() -> None:
    assert RequestCost.logged(LINE) == RequestCost(1.25, 200, "miss", 2, 0.5)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.95, 95), (0.99, 99), (1, 100)])
def test_a_quantile_is_a_value_that_was_measured(share: float, value: int) -> None:
    assert vitals.quantile(share)(list(range(100, 0, -1))) == value


def test_a_quantile_of_one_value_is_that_value() -> None:
    assert vitals.quantile(0.5)([7]) == 7
