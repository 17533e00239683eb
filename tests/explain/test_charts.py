"""Charts: true places, readable ticks, small data."""

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anatomia.explain.charts import POINTS, Series, bubbles, line_chart, thin, ticks
from anatomia.explain.texts import text

NAME = text("chart.train")
finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(finite, finite)
def test_ticks_enclose_the_values_and_are_few(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    found = ticks(low, high, 4)
    step = found[1] - found[0]
    assert found[0] <= low + 1e-6 * step
    assert found[-1] >= high - 1e-6 * step
    assert 2 <= len(found) <= 7


def test_points_lie_where_they_belong() -> None:
    chart = line_chart([Series(NAME, "c-main", [(0, 0.0), (5, 1.0), (10, 2.0)])])
    assert chart is not None
    assert chart.lines[0]["path"] == "M0.00 100.00L50.00 50.00L100.00 0.00"
    assert json.loads(chart.data)["series"][0]["points"] == [[0, 0.0], [5, 1.0], [10, 2.0]]
    assert chart.y_ticks[0][0] == 0
    assert chart.y_ticks[-1][0] == 100


def test_ticks_say_no_more_digits_than_tell_them_apart() -> None:
    chart = line_chart([Series(NAME, "c-main", [(0, 0.0), (1.4, 1.0)])])
    assert chart is not None
    assert [label.pl for _, label in chart.x_ticks] == ["0,0", "0,5", "1,0"]


def test_nothing_to_draw_is_no_chart() -> None:
    assert line_chart([]) is None
    assert line_chart([Series(NAME, "c-main", [(1, 2.0)])]) is None
    assert line_chart([Series(NAME, "c-main", [(1, math.nan), (2, math.inf), (3, 1.0)])]) is None


def test_a_flat_line_can_be_drawn() -> None:
    chart = line_chart([Series(NAME, "c-main", [(1, 0.0), (2, 0.0)])], floor=0)
    assert chart is not None
    assert "nan" not in chart.lines[0]["path"]


@given(st.integers(0, 2**32), st.integers(POINTS + 1, 2000))
def test_thinning_keeps_ends_order_and_mean_range(seed: int, count: int) -> None:
    values = np.random.default_rng(seed).normal(0, 1e3, count).tolist()
    points = [(float(x), y) for x, y in enumerate(values)]
    few = thin(points)
    assert len(few) <= POINTS
    assert few[0] == points[0]
    assert few[-1] == points[-1]
    assert [x for x, _ in few] == sorted(x for x, _ in few)
    assert min(values) - 1e-6 <= min(y for _, y in few)
    assert max(y for _, y in few) <= max(values) + 1e-6


def test_bubble_areas_go_with_counts() -> None:
    points = bubbles([{"predicted": 0.5, "observed": 0.4, "count": 100}, {"predicted": 0.9, "observed": 1, "count": 0}])
    assert points is not None
    assert len(points) == 1
    assert points[0]["x"] == 50
    assert bubbles([]) is None
