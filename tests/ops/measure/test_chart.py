"""The picture of a comparison."""

from xml.etree import ElementTree as ET

from vitals.ops.measure import chart
from vitals.ops.measure.difference import Row

SAME = Row(
    metric="p50 of GET /items/{item_id}",
    unit="ms",
    before=2.0,
    after=2.1,
    low=-0.1,
    high=0.3,
    seen=False,
    better=False,
)
WORSE = SAME._replace(after=4.0, low=1.8, high=2.2, seen=True)
BETTER = WORSE._replace(before=4.0, after=2.0, low=-2.2, high=-1.8, better=True)
NEW = WORSE._replace(metric="errors of GET <all>", before=0.0, unit="%")


def drawn(*rows: Row) -> tuple[str, list[str | None]]:
    root = ET.fromstring(chart.picture("v1 → this tree", rows))
    circles = root.iter("{http://www.w3.org/2000/svg}circle")
    return "".join(root.itertext()), [circle.get("fill") for circle in circles]


def test_worse_is_red_better_is_green_and_none_is_grey() -> None:
    _, colours = drawn(SAME, WORSE, BETTER, NEW)

    assert colours == [chart.GREY, chart.RED, chart.GREEN, chart.RED]


def test_the_picture_names_how_many_rows_differ_and_by_how_much() -> None:
    said, _ = drawn(SAME, WORSE)

    assert "v1 → this tree: 1 of 2 differ" in said
    assert "2 → 4 ms   +100 %" in said


def test_the_picture_states_that_no_difference_is_seen() -> None:
    said, _ = drawn(SAME)

    assert "no difference seen" in said


def test_nothing_is_drawn_outside_the_picture() -> None:
    root = ET.fromstring(chart.picture("", [WORSE._replace(after=200.0, high=400.0)]))
    circles = root.iter("{http://www.w3.org/2000/svg}circle")

    assert [float(circle.get("cx") or 0) for circle in circles] == [chart.WIDTH - chart.RIGHT]
