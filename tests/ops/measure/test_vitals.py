"""The vitals: quantiles are values that were measured."""

import pytest

from vitals.ops.measure import vitals


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (95, 95), (99, 99), (100, 100)])
def test_a_quantile_is_a_value_that_was_measured(percent: int, value: int) -> None:
    assert vitals.quantile(percent, list(range(100, 0, -1))) == value


def test_a_quantile_of_one_value_is_that_value() -> None:
    assert vitals.quantile(50, [7]) == 7
