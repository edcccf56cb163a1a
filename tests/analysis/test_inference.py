"""Tests of a mean against a bound, and how many replicates they need."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ltr.analysis import inference

VALUES = np.array([0.1, 0.4, 0.2, 0.5])
FEW = [np.array([]), np.array([0.3])]
SAME = np.full(3, 0.25)


def test_p_values_and_intervals_are_those_of_scipy() -> None:
    assert inference.p_value(VALUES, 0.05) == pytest.approx(scipy.stats.ttest_1samp(VALUES, 0.05).pvalue)
    low, high = scipy.stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
    assert inference.interval(VALUES) == pytest.approx((low, high))


@pytest.mark.parametrize("values", FEW)
def test_fewer_than_two_values_say_nothing(values: np.ndarray) -> None:
    assert inference.p_value(values, 0.0) == 1.0
    assert inference.replicates_needed(values, 0.0, 0.05) is None
    assert all(map(math.isnan, (*inference.interval(values), *inference.bootstrap(values))))


@pytest.mark.parametrize("values", [*FEW, np.array([0.3, 0.31])])
def test_fewer_than_three_values_decide_nothing(values: np.ndarray) -> None:
    assert inference.p_value(values, -9.0) == 1.0
    assert inference.p_value_unpaired(values, VALUES - 9) == 1.0


def test_values_without_spread_are_no_proof() -> None:
    assert inference.p_value(SAME, 0.25) == inference.p_value(SAME + 1e-8 * np.arange(3), 0.25) == 1.0
    assert inference.p_value(SAME, 0.2) == 0.25, "a sign test's"
    assert inference.p_value_unpaired(SAME, SAME - 0.1) == 0.1, "2 of the 20 ways to divide six values"
    assert inference.p_value_unpaired(SAME, SAME) == 1.0
    assert all(map(math.isnan, (*inference.interval(SAME), *inference.bootstrap(SAME))))


def test_values_without_spread_need_as_many_as_the_sign_test() -> None:
    assert inference.replicates_needed(SAME, 0.2, 0.05) == 6
    assert inference.replicates_needed(SAME, 0.2, 0.01) == 8
    assert inference.replicates_needed(np.full(8, 0.25), 0.2, 0.05) == 9, "more than there are"
    assert inference.replicates_needed(SAME, 0.2, 1 / 32) == 7, "six reach the level, and are not below it"
    assert inference.replicates_needed(SAME, 0.25, 0.05) is None


def test_unpaired_p_values_are_those_of_scipy() -> None:
    others = np.array([0.3, 0.9, 1.4])
    welch = scipy.stats.ttest_ind(VALUES, others, equal_var=False)
    assert inference.p_value_unpaired(VALUES, others) == pytest.approx(welch.pvalue)


@pytest.mark.parametrize("spread", [0, 1e-9, 1e-6, 2e-6, 1e-3])
@pytest.mark.parametrize("n", [2, 3, 8])
def test_no_values_make_a_library_warn(n: int, spread: float) -> None:
    """Warnings are errors in tests."""
    values = 0.5 + spread * np.random.default_rng(0).normal(size=n)
    for bound in (0.0, 0.5, 0.4999):
        assert 0 <= inference.p_value(values, bound) <= 1
        inference.replicates_needed(values, bound, 1e-4)
    inference.p_value_unpaired(values, values - 0.1)
    inference.bootstrap(values)


def test_holm_by_hand() -> None:
    """Times 3, 2 and 1 from the smallest on, and never less than one before."""
    assert inference.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert inference.holm([0.9, 0.8]) == [1.0, 1.0]
    assert inference.holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_none_and_bonferroni(p_values: list[float]) -> None:
    for raw, adjusted in zip(p_values, inference.holm(p_values), strict=True):
        assert raw <= adjusted <= min(1, len(p_values) * raw) + 1e-12


@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_family_errs_in_one_of_twenty_runs(n: int) -> None:
    runs = np.random.default_rng(n).normal(0, 1, (1500, 4, n))
    errs = [min(inference.holm([inference.p_value(v, 0.0) for v in family])) < 0.05 for family in runs]
    assert 0.03 < np.mean(errs) < 0.062  # two and a half deviations


def test_the_bootstrap_repeats_and_is_about_the_mean() -> None:
    low, high = inference.bootstrap(VALUES)
    assert VALUES.min() <= low < VALUES.mean() < high <= VALUES.max()
    assert inference.bootstrap(VALUES) == (low, high)


@pytest.mark.parametrize(("distance", "n", "expected"), [(1, 5, 0.40), (1, 10, 0.80), (2, 5, 0.91)])
def test_power_is_how_often_the_test_decides(distance: float, n: int, expected: float) -> None:
    """The figures that `ltr.analysis.claims` states."""
    assert inference.power(distance, n, 0.05) == pytest.approx(expected, abs=0.005)
    drawn = np.random.default_rng(0).normal(distance, 1, (2000, n))
    decided = [inference.p_value(values, 0.0) < 0.05 and values.mean() > 0 for values in drawn]
    assert np.mean(decided) == pytest.approx(expected, abs=0.03)


def test_as_many_replicates_as_have_the_power() -> None:
    values = np.array([0.0, 1.0, 2.0, 3.0])
    assert inference.replicates_needed(values, -9.0, 0.05) == 5, "more than there are"
    needed = inference.replicates_needed(values, 0.5, 0.01)
    distance = (values.mean() - 0.5) / values.std(ddof=1)
    assert needed is not None
    assert inference.power(distance, needed - 1, 0.01) < 0.8 <= inference.power(distance, needed, 0.01)
    assert inference.replicates_needed(values, values.mean(), 0.05) is None


def test_two_values_are_enough_to_say_how_many_are_needed() -> None:
    assert inference.replicates_needed(np.array([0.0, 1.0]), -9.0, 0.05) == inference.FEWEST


def test_the_number_needed_does_not_depend_on_the_unit() -> None:
    values = np.array([0.0, 1.0, 2.0, 3.0])
    needed = inference.replicates_needed(values, 0.5, 0.01)
    assert inference.replicates_needed(values / 1024, 0.5 / 1024, 0.01) == needed


@pytest.mark.parametrize(("distance", "needed"), [(0.089, 993), (0.088, None)])
def test_more_than_a_thousand_replicates_are_not_suggested(distance: float, needed: int | None) -> None:
    """About (2.80 / distance) ** 2 + 1.9 values have a power of 0.8 at a level of 0.05: 993 and 1015."""
    assert inference.replicates_needed(np.array([-1.0, 0.0, 1.0]), distance, 0.05) == needed


def test_the_power_of_a_large_difference_is_1() -> None:
    assert inference.power(100.0, 5, 0.05) == 1.0


@pytest.mark.parametrize("n", [2, 3, 8, 30])
def test_the_bootstrap_is_that_of_scipy(n: int) -> None:
    values = np.random.default_rng(n).normal(0.9, 0.01, n)
    drawn = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0)
    )
    assert inference.bootstrap(values) == pytest.approx(tuple(drawn.confidence_interval), rel=1e-12)


@pytest.mark.parametrize(("distance", "n", "level"), [(0.3, 5, 0.05), (1, 8, 0.005), (3, 3, 1e-4)])
def test_power_is_that_of_the_noncentral_t_distribution(distance: float, n: int, level: float) -> None:
    critical = scipy.stats.t.ppf(1 - level / 2, n - 1)
    expected = scipy.stats.nct.sf(critical, n - 1, distance * np.sqrt(n))
    assert inference.power(distance, n, level) == pytest.approx(expected, rel=1e-9)


def test_a_spread_just_beyond_rounding_is_a_spread() -> None:
    ones = np.array([0.0, 20.0, -20.0]) * inference.ROUNDING
    error, freedom = inference.welch(ones, ones)
    assert error == pytest.approx(20 * (2 / 3) ** 0.5 * inference.ROUNDING)
    assert freedom == pytest.approx(4)
    assert inference.welch(ones / 1000, ones / 1000) == (0.0, math.inf)
