"""Whether a mean lies above a bound: tests, intervals, and how many replicates would tell.

Values are independent and about normal. With the three to ten replicates of a run, Student's t is as
much as can be asked of them; the bootstrap is there to be seen beside it.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from ltr.analysis.statistics import estimate

LEVEL = 0.05
"""How often at most a family of tests may decide something that is not so."""

ROUNDING = 1e-6
"""Of float32: what differs by less is equal."""

POWER = 0.8
"""How likely a decision should be, for as many replicates as are asked for."""

MOST = 1000
"""More replicates than this are not asked for."""


def p_value(values: np.ndarray, bound: float) -> float:
    """Of Student's two-sided test that the mean is `bound`; 1 for fewer than two values.

    Accuracies lie on a grid, that of the test images, so few values are often equal. That is no proof:
    without spread, but for rounding, it is the sign test's.
    """
    if len(values) < 2:
        return 1.0
    distance, error = float(values.mean()) - bound, float(values.std(ddof=1)) / math.sqrt(len(values))
    if abs(distance) <= ROUNDING:
        return 1.0
    if error <= ROUNDING:
        return 2.0 ** (1 - len(values))
    return float(2 * stats.t.sf(abs(distance) / error, len(values) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that, compared with a level, they err in all together as often at most (Holm, 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * np.asarray(p_values)[order]))
    return adjusted.tolist()


def interval(values: np.ndarray) -> tuple[float, float]:
    """Student's 95 % confidence interval of the mean; NaN for fewer than two values."""
    mean, reach, _ = estimate(pd.Series(values))
    return mean - reach, mean + reach


def bootstrap(values: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile interval of the mean, the same every time; NaN for fewer than two values.

    Of fewer than about ten values it is too narrow: of three it is their range, and holds the mean in
    three of four cases.
    """
    if len(values) < 2:
        return math.nan, math.nan
    drawn = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0)
    )
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def power(distance: float, n: int, level: float) -> float:
    """How likely Student's two-sided test decides at a level.

    `distance`: of the mean from the bound, in standard deviations of a value.
    """
    shift, critical = abs(distance) * math.sqrt(n), stats.t.ppf(1 - level / 2, n - 1)
    return float(stats.nct.sf(critical, n - 1, shift))


def replicates_needed(values: np.ndarray, bound: float, level: float) -> int | None:
    """As many as would decide with a probability of `POWER`, if mean and spread are as they look.

    More than there are; None for fewer than two values, and where it is more than `MOST`.
    """
    if len(values) < 2:
        return None
    spread = float(values.std(ddof=1))
    distance = (float(values.mean()) - bound) / max(spread, 1e-9)
    if power(distance, MOST, level) < POWER:
        return None
    low, high = len(values) + 1, MOST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(distance, middle, level) >= POWER else (middle + 1, high)
    return low
