"""Runs side by side: the same arm at the same densities."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from ltr.analysis.statistics import Estimate, estimate
from ltr.analysis.summary import by_round

SAME = 0.01
"""Densities of different runs are the same within a hundredth of them: counts are rounded by layer."""

NOTHING = {"difference": math.nan, "difference_ci95": math.nan}
"""What is said of a round beside which the first run has none."""


def compare(runs: Sequence[pd.DataFrame], arm: str, paired: Sequence[bool]) -> pd.DataFrame:
    """An arm's rounds in every run beside the first run's at the same density.

    Args:
        runs: results tables; the first is what the others are compared with.
        arm: its rounds; with round 0, which is the dense network's.
        paired: of each run, whether its replicates start from the first run's weights. If so
            differences are taken in pairs; if not by Welch (1947).

    Returns:
        A row per round of a run, by density, the densest first: `run`, its place; `round`; `density`; `n`
        replicates; mean `accuracy` and `early_stop_step` with `accuracy_ci95` and `early_stop_step_ci95`
        (half-widths of 95 % intervals); `censored` lanes; `difference` of the accuracy from the first run's
        and `difference_ci95`, NaN where that has no such density. Accuracies are fractions.
    """
    columns = ["round", "density", "n", "accuracy", "accuracy_ci95", "early_stop_step"]
    columns += ["early_stop_step_ci95", "censored"]
    rows = []
    for place, results in enumerate(runs):
        summary = by_round(results[_of_arm(results, arm)])
        for row in summary[columns].to_dict("records"):
            found = dict(NOTHING)
            if place:
                found = _difference(runs[0], results, arm, row["round"], row["density"], paired[place])
            rows.append({"run": place} | row | found)
    frame = pd.DataFrame(rows, columns=["run", *columns, *NOTHING])
    return frame.sort_values(["density", "run"], ascending=[False, True], kind="stable", ignore_index=True)


def welch(one: pd.Series, other: pd.Series) -> Estimate:
    """The mean of independent values less that of others, whose spread may be another (Welch, 1947)."""
    difference, least = float(one.mean() - other.mean()), min(len(one), len(other))
    if least < 2:
        return Estimate(difference, math.nan, least)
    if max(one.std(), other.std()) == 0:
        return Estimate(difference, 0.0, least)
    interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    return Estimate(difference, float(interval.high - interval.low) / 2, least)


def _difference(
    first: pd.DataFrame, results: pd.DataFrame, arm: str, round: int, density: float, paired: bool
) -> dict[str, float]:
    theirs = first[_of_arm(first, arm)]
    densities = theirs.groupby("round")["density"].mean()
    nearest = (densities / density - 1).abs()
    if not len(nearest) or nearest.min() > SAME:
        return NOTHING
    beside = theirs[theirs["round"] == nearest.idxmin()]
    mine = results[_of_arm(results, arm) & (results["round"] == round)]
    one, other = _accuracies(mine), _accuracies(beside)
    found = estimate((one - other).dropna()) if paired else welch(one, other)
    return {"difference": found.mean, "difference_ci95": found.half_width}


def _of_arm(results: pd.DataFrame, arm: str) -> pd.Series:
    """An arm's lanes, and the dense network's."""
    is_dense = (results["round"] == 0) & (results["arm"] == "ticket")
    return (results["arm"] == arm) | is_dense


def _accuracies(lanes: pd.DataFrame) -> pd.Series:
    return lanes.groupby("replicate")["accuracy_at_early_stop"].mean().astype(np.float64)
