import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from ltr.report.arms import styles
from ltr.report.axes import (
    Limits,
    apart,
    label_ends,
    label_markers,
    set_cost_axis,
    set_density_axis,
    set_height_limits,
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_labels_keep_their_order_and_distance(heights: list[float]) -> None:
    moved = apart(np.array(heights), 0.06)[np.argsort(heights, kind="stable")]
    assert (np.diff(moved) >= 0.06 - 1e-9).all()
    assert 0 <= moved[0] <= moved[-1] <= 0.97
    if 0 < moved[0] < moved[-1] < 0.97:
        assert moved.mean() == pytest.approx(np.mean(heights), abs=1e-9)


def test_labels_that_do_not_touch_stay() -> None:
    np.testing.assert_allclose(apart(np.array([0.5, 0.1, 0.9]), 0.06), [0.5, 0.1, 0.9])


def test_the_dense_network_is_at_the_left_and_ticks_are_rounds() -> None:
    axes = Figure().add_subplot()
    set_density_axis(axes, pd.Series([0.8**round_number for round_number in range(16)]))
    left, right = axes.get_xlim()
    assert left > 1.0 > 0.8**15 > right
    assert [label.get_text() for label in axes.get_xticklabels()] == ["100", "51", "26", "13", "6.9", "3.5"]


@pytest.mark.parametrize(
    ("means", "bars", "seen"),
    [
        ([97.0, 98.0], [0.1, 0.2], (96.9, 98.2)),
        ([97.0, 98.0], [30.0, 0.2], (96.5, 98.2)),
        ([97.0, 97.1, 97.2], [0.3, 0.4, 30.0], (96.7, 97.6)),
        ([97.0], [0.3], (96.7, 97.3)),
        ([97.0], [float("nan")], (97.0, 97.0)),
    ],
)
def test_all_means_are_seen_and_no_bar_hides_them(
    means: list[float], bars: list[float], seen: tuple[float, float]
) -> None:
    axes = Figure().add_subplot()
    set_height_limits(axes, pd.Series(means), pd.Series(bars), Limits(0, 100))
    low, high = axes.get_ylim()
    room = 1.0 if seen[0] == seen[1] else 0.05 * (seen[1] - seen[0])
    assert (low, high) == pytest.approx((seen[0] - room, seen[1] + room))


@pytest.mark.parametrize(
    ("means", "bars", "possible", "from_zero", "expected"),
    [
        ([99.0, 99.8], [0.4, 0.4], Limits(0, 100), False, (98.52, 100)),
        ([0.5, 1.0], [0.2, 0.2], Limits(0, 100), False, (0.255, 1.245)),
        ([0.0, 1.0], [0.2, 0.2], Limits(0, 100), False, (0, 1.27)),
        ([100.0, 100.0], [0.0, 0.0], Limits(0, 100), False, (99, 100)),
        ([800.0, 990.0], [50.0, 50.0], Limits(0, 1000), True, (0, 1000)),
        ([200.0, 300.0], [50.0, 50.0], Limits(0, 1000), True, (0, 360)),
    ],
)
def test_axes_stay_within_what_is_possible(
    means: list[float], bars: list[float], possible: Limits, from_zero: bool, expected: tuple[float, float]
) -> None:
    axes = Figure().add_subplot()
    set_height_limits(axes, pd.Series(means), pd.Series(bars), possible, from_zero)
    assert axes.get_ylim() == pytest.approx(expected)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_names_stand_where_curves_end(scale: str) -> None:
    axes = Figure().add_subplot(xscale="log", yscale=scale, ylim=(1, 100))
    label_ends(axes, dict(zip(styles("ab").values(), (10.0, 80.0), strict=True)))
    expected = {"linear": [9 / 99, 79 / 99], "log": [0.5, math.log(80, 100)]}[scale]
    assert [text.get_position()[1] for text in axes.texts] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("costs", "ticks"),
    [
        ([0, 0.0013, 1, 13.5], ["0", "0.01", "0.1", "1", "10"]),
        ([1.5, 13.5], ["2", "5", "10"]),
        ([0, 1.6], ["0", "1.6"]),
        ([20, 3000], ["100", "1000"]),
    ],
)
def test_costs_are_logarithmic_and_0_is_left_of_a_break(costs: list[float], ticks: list[str]) -> None:
    axes = Figure().add_subplot()
    places = set_cost_axis(axes, pd.Series(costs)).tolist()
    assert [label.get_text() for label in axes.get_xticklabels()] == ticks
    assert places[-1:] == costs[-1:]
    left, right = axes.get_xlim()
    assert left < places[0] < places[-1] < right
    if costs[0] == 0:
        assert places[0] == pytest.approx(axes.get_xticks()[0])
        assert places[0] <= costs[1] / 2
        (line,) = axes.lines
        break_at = left * (right / left) ** np.mean(line.get_xdata())
        assert places[0] < break_at < costs[1]
    else:
        assert not axes.lines


def test_labels_of_points_stand_beside_their_markers_in_order() -> None:
    axes = Figure().add_subplot(ylim=(0, 100))
    arms = styles("ab")
    label_markers(axes, {arms["a"]: 10.0, arms["b"]: 12.0}, {arms["b"]})
    texts = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert texts["a"] + 0.079 < texts["b"]
    assert [line.get_ydata()[0] for line in axes.lines] == pytest.approx([*texts.values()])
    assert [line.get_markerfacecolor() for line in axes.lines] == ["white", arms["b"].colour]
