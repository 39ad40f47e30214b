"""Differences and chance: the same services differ in nothing, others do."""

import random
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from vitals.ops.measure import difference
from vitals.ops.measure.difference import NONE, Round, Row
from vitals.ops.measure.vitals import Vital, mean, median, quantile

ROWS = 18


def between(
    rounds: Sequence[Round], of_many: Callable[[Sequence[float]], float], rows: int = ROWS
) -> Row:
    vital = Vital("p50", "ms", lambda cost: cost.duration_ms, of_many)
    return difference.between("p50 of GET /items", vital, rounds, rows)


def measured(seed: int, slower: float = 1.0, rounds: int = 40) -> list[Round]:
    """Durations as a busy machine gives them: rounds differ more than the sides do."""
    chance = random.Random(seed)
    found = []
    for _ in range(rounds):
        busy = chance.lognormvariate(0, 0.5)
        sides = [
            [busy * chance.lognormvariate(0, 0.3) * by for _ in range(10)] for by in (1, slower)
        ]
        found.append((sides[0], sides[1]))
    return found


def test_a_fifth_more_is_seen_each_time_though_the_machine_is_busy() -> None:
    verdicts = [
        between(difference.rescaled(measured(seed, 1.2)), median).seen for seed in range(10)
    ]

    assert verdicts == [True] * 10


def test_a_busy_round_counts_as_much_as_a_quiet_one() -> None:
    quiet, busy = ([1.0, 1.0], [1.2, 1.2]), ([10.0, 10.0], [12.0, 12.0])

    one, two, three = difference.rescaled([quiet, busy, quiet])

    assert one == three == quiet
    assert two == (pytest.approx([1.0, 1.0]), pytest.approx([1.2, 1.2]))


def test_rounds_of_nothing_stay_as_they_are() -> None:
    assert difference.rescaled([([0.0], [0.0])]) == [([0.0], [0.0])]


def test_equals_that_are_rescaled_show_no_difference_either() -> None:
    found = [between(difference.rescaled(measured(seed)), median) for seed in range(20)]

    assert {each.verdict for each in found} == {NONE}


@pytest.mark.parametrize("percent", [50, 95])
def test_equals_show_no_difference(percent: int) -> None:
    found = [between(measured(seed), partial(quantile, percent)) for seed in range(20)]

    assert {each.verdict for each in found} == {NONE}


def test_less_than_5_percent_is_no_difference_though_it_is_certain() -> None:
    rounds = [([100.0], [104.0])] * 20

    row = between(rounds, mean)

    assert (row.before, row.after, row.low, row.high) == (100, 104, 4, 4)
    assert not row.seen


def test_errors_that_were_not_there_before_are_seen() -> None:
    rounds = [([0.0, 0.0], [0.0, 100.0])] * 20

    assert between(rounds, mean).verdict == "new, 95 % interval +50 to +50"


def test_a_verdict_states_the_change_and_its_interval_in_percent_of_before() -> None:
    found = Row("p50", "ms", 200, 100, -120, -80, seen=True, better=True)

    assert found.verdict == "-50 %, 95 % interval -60 to -40 %"


def test_the_interval_is_wider_with_more_rows_and_with_fewer_rounds() -> None:
    def width(rounds: int, rows: int) -> float:
        found = between(measured(1, rounds=rounds), mean, rows)
        return found.high - found.low

    assert width(40, 1) < width(40, 18) < width(10, 18)


@pytest.mark.parametrize(
    ("share", "freedom", "table"), [(0.975, 10, 2.228), (0.995, 20, 2.845), (0.9995, 10, 4.587)]
)
def test_the_quantiles_of_students_t_are_those_of_the_table(
    share: float, freedom: int, table: float
) -> None:
    assert difference.t_quantile(share, freedom) == pytest.approx(table, rel=0.05)
