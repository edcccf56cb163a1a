"""Tests of a mean against a bound, confidence intervals, power and the number of replicates needed.

Values are assumed independent and approximately normal. A run has three to ten replicates, too few for
other tests than Student's t; the bootstrap interval is only shown beside it.

Every decision of `ltr` rests on `p_value` or `p_value_unpaired`.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ltr.analysis.statistics import ROUNDING, estimate

LEVEL = 0.05
"""Familywise error rate."""

FEWEST = 3
"""Smallest number of values that a test decides on; also the least `claims.most`."""

POWER = 0.8
"""Power that a suggested number of replicates should have."""

MOST = 1000
"""Largest number of replicates that is suggested."""

RESAMPLES = 2000
"""Resamples of the bootstrap."""

CERTAIN = 30.0
"""Distance of the shift above the critical value, in standard errors, from which the power counts as 1."""


def p_value(values: np.ndarray, bound: float) -> float:
    """P-value of Student's two-sided test that the mean is `bound`; 1 for fewer than `FEWEST` values.

    Accuracies are multiples of one over the number of test images, so a few values are often equal by
    chance. Values without any spread beyond rounding get the p-value of the sign test.
    """
    if len(values) < FEWEST:
        return 1.0
    distance, spread = float(values.mean()) - bound, float(values.std(ddof=1))
    if abs(distance) <= ROUNDING:
        return 1.0
    if spread <= ROUNDING:
        return sign_test(len(values))
    return _t_test(distance, spread / math.sqrt(len(values)), len(values) - 1)


def p_value_unpaired(ones: np.ndarray, others: np.ndarray) -> float:
    """P-value of Welch's (1947) two-sided test that two means are equal.

    It is 1 if either sample has fewer than `FEWEST` values. Samples without any spread get the p-value of
    the permutation test: the share of all divisions of the values that separate them as far.
    """
    if min(len(ones), len(others)) < FEWEST:
        return 1.0
    distance = float(ones.mean() - others.mean())
    if abs(distance) <= ROUNDING:
        return 1.0
    error, freedom = welch(ones, others)
    if error <= ROUNDING:
        return 2 / math.comb(len(ones) + len(others), len(ones))
    return _t_test(distance, error, freedom)


def welch(ones: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """Return the standard error of a difference of independent means and its degrees of freedom (Welch)."""
    one, other = (values.var(ddof=1) / len(values) for values in (ones, others))
    if one + other <= ROUNDING**2:
        return 0.0, math.inf
    freedom = (one + other) ** 2 / (one**2 / (len(ones) - 1) + other**2 / (len(others) - 1))
    return math.sqrt(one + other), float(freedom)


def sign_test(n: int) -> float:
    """Two-sided p-value of the sign test for `n` values on the same side."""
    return 2.0 ** (1 - n)


def _t_test(distance: float, error: float, freedom: float) -> float:
    from scipy import special  # no training waits for this import

    return float(2 * special.stdtr(freedom, -abs(distance) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values to control the familywise error rate (Holm, 1979); in the given order."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * np.asarray(p_values)[order]))
    return adjusted.tolist()


def interval(values: np.ndarray) -> tuple[float, float]:
    """Student's 95 % confidence interval of the mean; NaN as in `ltr.analysis.statistics.ci95`."""
    mean, reach, _ = estimate(pd.Series(values))
    return mean - reach, mean + reach


def bootstrap(values: np.ndarray) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean, from a fixed seed; NaN if the values have no spread.

    It is too narrow for fewer than about ten values: for three it is their range, which contains the mean
    in three of four cases.
    """
    if len(values) < 2 or values.std(ddof=1) <= ROUNDING:
        return math.nan, math.nan
    drawn = np.random.default_rng(0).choice(values, (RESAMPLES, len(values)))
    low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def power(distance: float, n: int, level: float) -> float:
    """Power of Student's two-sided test.

    Args:
        distance: distance of the mean from the bound, in standard deviations of a value.
        n: number of values, at least 2.
        level: significance level.
    """
    from scipy import special

    shift, critical = abs(distance) * math.sqrt(n), float(special.stdtrit(n - 1, 1 - level / 2))
    if shift > CERTAIN + critical:
        return 1.0
    return float(1 - special.nctdtr(n - 1, shift, critical))


def replicates_needed(values: np.ndarray, bound: float, level: float) -> int | None:
    """Return the number of replicates for a power of `POWER`, if mean and spread are as estimated.

    Values without any spread are assumed to be tested by the sign test.

    Returns:
        A number larger than that of the values, and at least `FEWEST`. None for fewer than two values, for a
        mean at the bound, and if more than `MOST` are needed.
    """
    if len(values) < 2:
        return None
    distance, spread = float(values.mean()) - bound, float(values.std(ddof=1))
    if abs(distance) <= ROUNDING:
        return None
    fewest = max(len(values) + 1, FEWEST)
    if spread <= ROUNDING:
        return next((n for n in range(fewest, MOST) if sign_test(n) < level), None)
    if power(distance / spread, MOST, level) < POWER:
        return None
    low, high = fewest, MOST
    while low < high:
        middle = (low + high) // 2
        enough = power(distance / spread, middle, level) >= POWER
        low, high = (low, middle) if enough else (middle + 1, high)
    return low
