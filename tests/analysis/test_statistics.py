import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from ltr.analysis.statistics import ROUNDING, ci95, difference_from_dense, estimate, paired_difference

Lane = tuple[int, int, str, int, float]


def results(*lanes: Lane) -> pd.DataFrame:
    """Lanes as (round, replicate, arm, draw, accuracy at early stop)."""
    return pd.DataFrame(lanes, columns=["round", "replicate", "arm", "draw", "accuracy_at_early_stop"])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=20))
def test_half_width_is_that_of_scipy(values: list[float]) -> None:
    scale = np.std(values, ddof=1) / math.sqrt(len(values))
    low, high = scipy.stats.t.interval(0.95, len(values) - 1, loc=0.0, scale=scale or 1.0)
    found = ci95(pd.Series(values))
    assert type(found) is float, "as it is written on pages"
    assert (
        math.isnan(found)
        if scale * math.sqrt(len(values)) <= ROUNDING
        else found == pytest.approx((high - low) / 2)
    )


def test_two_replicates_by_hand() -> None:
    """t(0.975, 1) = 12.706; the deviation of 0 and 2 is sqrt 2, that of their mean 1."""
    assert estimate(pd.Series([0.0, 2.0])) == pytest.approx((1.0, 12.7062, 2), rel=1e-5)


@pytest.mark.parametrize("values", [[], [0.5]])
def test_no_interval_from_fewer_than_two(values: list[float]) -> None:
    found = estimate(pd.Series(values, dtype=float))
    assert math.isnan(found.half_width)
    assert found.n == len(values)


def test_intervals_hold_the_truth_95_times_in_100() -> None:
    samples = np.random.default_rng(0).normal(3.0, 2.0, (2000, 5))
    held = [abs(mean - 3.0) <= width for mean, width, _ in (estimate(pd.Series(s)) for s in samples)]
    assert 0.935 < np.mean(held) < 0.965


def test_differences_are_paired_by_replicate() -> None:
    """Replicates differ by 0.5, the arms always by 0.1: the pairing leaves no spread."""
    table = results(
        (1, 0, "ticket", 0, 0.9), (1, 0, "b", 0, 0.8), (1, 1, "ticket", 0, 0.4), (1, 1, "b", 0, 0.3)
    )
    assert paired_difference(table, "ticket", "b", 1) == (
        pytest.approx(0.1),
        pytest.approx(math.nan, nan_ok=True),
        2,
    )
    assert paired_difference(table, "b", "ticket", 1).mean == pytest.approx(-0.1)


def test_draws_are_averaged_within_a_replicate_and_not_counted() -> None:
    table = results(
        (1, 0, "ticket", 0, 0.9), (1, 0, "b", 0, 0.7), (1, 0, "b", 1, 0.9),
        (1, 1, "ticket", 0, 0.9), (1, 1, "b", 0, 0.6), (1, 1, "b", 1, 0.8),
    )  # fmt: skip
    found = paired_difference(table, "ticket", "b", 1)
    assert found.mean == pytest.approx(0.15)
    assert found.n == 2


def test_a_replicate_that_lacks_an_arm_is_left_out() -> None:
    table = results((1, 0, "ticket", 0, 0.9), (1, 0, "b", 0, 0.8), (1, 1, "ticket", 0, 0.4))
    assert paired_difference(table, "ticket", "b", 1).n == 1


def test_dense_is_the_ticket_arm_of_round_0() -> None:
    table = results((0, 0, "ticket", 0, 0.9), (3, 0, "ticket", 0, 0.95), (3, 0, "b", 0, 0.8))
    assert difference_from_dense(table, "b", 3).mean == pytest.approx(-0.1)
    assert difference_from_dense(table, "ticket", 3).mean == pytest.approx(0.05)
