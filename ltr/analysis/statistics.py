"""Means over replicates and their confidence intervals.

Replicates are the independent repetitions. The draws of an arm inside one replicate share its
initial weights and data: they are averaged first, and only replicates are counted in n.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

ROUNDING = 1e-6
"""Tolerance for float32 rounding: values that differ by less count as equal."""


class Estimate(NamedTuple):
    """Mean over n replicates and the half-width of its 95 % confidence interval (NaN if there is none)."""

    mean: float
    half_width: float
    n: int


def ci95(values: pd.Series) -> float:
    """Half-width of Student's 95 % confidence interval of the mean of independent values.

    Missing values are left out. NaN for fewer than two values, and for equal values. Accuracies and steps
    lie on a grid, so a few values are often equal by chance: their spread is then unknown, not 0.
    """
    return half_width(values.std(ddof=1), values.count())


def half_width(spread: float, n: int, intervals: int = 1) -> float:
    """Half-width of the interval of `ci95` of n values that have this standard deviation.

    `intervals`: number of intervals that hold together (see `critical_value`).
    """
    if n < 2 or spread <= ROUNDING:
        return math.nan
    return float(critical_value(n - 1, intervals) * spread / math.sqrt(n))


def critical_value(freedom: float, intervals: int = 1) -> float:
    """Return the half-width, in standard errors, of the 95 % confidence interval of Student's t.

    Args:
        freedom: degrees of freedom.
        intervals: number of intervals that all hold with 95 %, by Bonferroni.
    """
    from scipy.special import stdtrit  # no training waits for this import

    return float(stdtrit(freedom, 1 - 0.05 / (2 * intervals)))


def estimate(values: pd.Series) -> Estimate:
    """Mean of independent values with its confidence interval; NaN if there are no values."""
    return Estimate(float(values.mean()), ci95(values), len(values))


def paired_difference(results: pd.DataFrame, arm: str, other: str, round_number: int) -> Estimate:
    """Accuracy at early stop of `arm` minus that of `other` in a round, as a fraction.

    Values are paired by replicate. Both arms of a replicate see the data in the same order and start from
    the same initial weights (except an arm with fresh weights), so shared effects cancel. Replicates that
    lack either arm are left out.
    """
    return _difference(results, (arm, round_number), (other, round_number))


def difference_from_dense(results: pd.DataFrame, arm: str, round_number: int) -> Estimate:
    """Accuracy at early stop of `arm` in a round minus that of the dense network, paired, as a fraction."""
    return _difference(results, (arm, round_number), ("ticket", 0))


def _difference(results: pd.DataFrame, one: tuple[str, int], other: tuple[str, int]) -> Estimate:
    return estimate((_accuracies(results, *one) - _accuracies(results, *other)).dropna())


def _accuracies(results: pd.DataFrame, arm: str, round_number: int) -> pd.Series:
    rows = results[(results["arm"] == arm) & (results["round"] == round_number)]
    return rows.groupby("replicate")["accuracy_at_early_stop"].mean().astype(np.float64)
