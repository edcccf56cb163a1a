"""Whether a mean lies above a bound: tests, intervals, and how many replicates would tell.

Values are independent and about normal. With the three to ten replicates of a run, Student's t is as
much as can be asked of them; the bootstrap is there to be seen beside it.

Whatever `ltr` calls decided or clear was decided here, by `p_value` or `p_value_unpaired`.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from ltr.analysis.statistics import ROUNDING, estimate

LEVEL = 0.05
"""How often at most a family of tests may decide something that is not so."""

FEWEST = 3
"""Fewer values than this decide nothing, however clear they look."""

POWER = 0.8
"""How likely a decision should be, for as many replicates as are asked for."""

MOST = 1000
"""More replicates than this are not asked for."""

RESAMPLES = 2000
"""Resamples of the bootstrap."""

CERTAIN = 30.0
"""A shift of the mean, in standard errors, beyond which every test that can decide does."""


def p_value(values: np.ndarray, bound: float) -> float:
    """Of Student's two-sided test that the mean is `bound`; 1 for fewer than `FEWEST` values.

    Accuracies lie on a grid, that of the test images, so few values are often equal. That is no proof:
    without spread, but for rounding, it is the sign test's.
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
    """Of Welch's (1947) two-sided test that two means are equal; 1 if either has fewer than `FEWEST` values.

    Without spread in either it is that of the permutation test: of all ways to divide the values between
    the two, as many are as far apart as these.
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
    """The standard error of a difference of independent means, and its degrees of freedom (Welch, 1947)."""
    one, other = (values.var(ddof=1) / len(values) for values in (ones, others))
    if one + other <= ROUNDING**2:
        return 0.0, math.inf
    freedom = (one + other) ** 2 / (one**2 / (len(ones) - 1) + other**2 / (len(others) - 1))
    return math.sqrt(one + other), float(freedom)


def sign_test(n: int) -> float:
    """The two-sided p of `n` values that all lie on one side."""
    return 2.0 ** (1 - n)


def _t_test(distance: float, error: float, freedom: float) -> float:
    return float(2 * special.stdtr(freedom, -abs(distance) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that, compared with a level, they err in all together as often at most (Holm, 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * np.asarray(p_values)[order]))
    return adjusted.tolist()


def interval(values: np.ndarray) -> tuple[float, float]:
    """Student's 95 % confidence interval of the mean; NaN where there is none (`ltr.analysis.statistics`)."""
    mean, reach, _ = estimate(pd.Series(values))
    return mean - reach, mean + reach


def bootstrap(values: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile interval of the mean, the same every time; NaN where there is none.

    Of fewer than about ten values it is too narrow: of three it is their range, and holds the mean in
    three of four cases.
    """
    if len(values) < 2 or values.std(ddof=1) <= ROUNDING:
        return math.nan, math.nan
    drawn = np.random.default_rng(0).choice(values, (RESAMPLES, len(values)))
    low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def power(distance: float, n: int, level: float) -> float:
    """How likely Student's two-sided test of at least two values decides at a level.

    `distance`: of the mean from the bound, in standard deviations of a value.
    """
    shift, critical = abs(distance) * math.sqrt(n), float(special.stdtrit(n - 1, 1 - level / 2))
    if shift > CERTAIN + critical:
        return 1.0
    return float(1 - special.nctdtr(n - 1, shift, critical))


def replicates_needed(values: np.ndarray, bound: float, level: float) -> int | None:
    """As many as would decide with a probability of `POWER`, if mean and spread are as they look.

    More than there are, and at least `FEWEST`; None for fewer than two values, and where it is more than
    `MOST`. Values without spread are taken for what the sign test takes them for.
    """
    if len(values) < 2:
        return None
    distance, spread = float(values.mean()) - bound, float(values.std(ddof=1))
    if abs(distance) <= ROUNDING:
        return None
    least = max(len(values) + 1, FEWEST)
    if spread <= ROUNDING:
        return next((n for n in range(least, MOST) if sign_test(n) < level), None)
    if power(distance / spread, MOST, level) < POWER:
        return None
    low, high = least, MOST
    while low < high:
        middle = (low + high) // 2
        enough = power(distance / spread, middle, level) >= POWER
        low, high = (low, middle) if enough else (middle + 1, high)
    return low
