"""Runs side by side: the same arm at nearly the same densities."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ltr.analysis import inference
from ltr.analysis.statistics import Estimate, estimate
from ltr.analysis.summary import by_round

NEAR = 1.1
"""Rounds of different runs lie side by side where their densities are within this factor of each other.

Counts are rounded by layer, and other layers or rates come to densities of their own, as 51.6 and 50.5 %.
Rounds at the usual rate are a factor of 1.25 apart.
"""

NOTHING = {
    "difference": math.nan,
    "difference_ci95": math.nan,
    "difference_n": 0,
    "p": math.nan,
    "beside_density": math.nan,
}
"""What is said of a round beside which the first run has none."""


def compare(runs: Sequence[pd.DataFrame], arm: str, paired: Sequence[bool]) -> pd.DataFrame:
    """An arm's rounds in every run beside the first run's at nearly the same density.

    Args:
        runs: results tables; the first is what the others are compared with.
        arm: its rounds; with round 0, which is the dense network's.
        paired: of each run, whether its replicates start from the first run's weights. If so
            differences are taken in pairs, and means over the replicates that all such runs have
            (`in_common`); if not by Welch (1947).

    Returns:
        A row per round of a run, the densest first, those side by side together: `run`, its place;
        `round`; `density`; `n` replicates; mean `accuracy` and `early_stop_step` with `accuracy_ci95` and
        `early_stop_step_ci95` (half-widths of 95 % intervals); `censored` lanes; `difference` of the
        accuracy from the first run's, `difference_ci95`, `difference_n` (pairs, or the fewer
        replicates) and `p` (that there is none, corrected over the rounds of the run), in its round of
        density `beside_density`: of all its rounds the nearest, and this
        one the nearest to it, within `NEAR`; NaN where there is none. Accuracies are fractions.
    """
    columns = ["round", "density", "n", "accuracy", "accuracy_ci95", "early_stop_step"]
    columns += ["early_stop_step_ci95", "censored"]
    of_arm = [results[_of_arm(results, arm)] for results in in_common(runs, arm, paired)]
    rows = []
    for place, lanes in enumerate(of_arm):
        beside = _beside(of_arm[0], lanes) if place else {}
        differences = {
            round_number: _difference(of_arm[0], there, lanes, round_number, paired[place])
            for round_number, there in beside.items()
        }
        corrected = inference.holm([one["p"] for one in differences.values()])
        for one, p in zip(differences.values(), corrected, strict=True):
            one["p"] = p
        rows += [
            {"run": place} | row | differences.get(row["round"], NOTHING)
            for row in by_round(lanes)[columns].to_dict("records")
        ]
    frame = pd.DataFrame(rows, columns=["run", *columns, *NOTHING])
    frame["together"] = frame["beside_density"].fillna(frame["density"])
    order = frame.sort_values(["together", "run"], ascending=[False, True], kind="stable", ignore_index=True)
    return order.drop(columns="together")


def in_common(runs: Sequence[pd.DataFrame], arm: str, paired: Sequence[bool]) -> list[pd.DataFrame]:
    """The tables, those of paired runs without the replicates of an arm that not all of them have."""
    together = [True, *paired[1:]]
    having = [set(one.loc[one["arm"] == arm, "replicate"]) for one in runs]
    paired_have = [have for have, is_paired in zip(having, together, strict=True) if is_paired and have]
    shared = set.intersection(*paired_have) if paired_have else set()
    return [
        results[results["replicate"].isin(shared)] if is_paired else results
        for results, is_paired in zip(runs, together, strict=True)
    ]


def welch(one: pd.Series, other: pd.Series) -> Estimate:
    """The mean of independent values less that of others, whose spread may be another (Welch, 1947).

    Without an interval for fewer than two values of either, and where neither has any spread.
    """
    difference, least = float(one.mean() - other.mean()), min(len(one), len(other))
    if least < 2:
        return Estimate(difference, math.nan, least)
    error, freedom = inference.welch(one.to_numpy(), other.to_numpy())
    return Estimate(difference, float(stdtrit(freedom, 0.975)) * error if error else math.nan, least)


def _beside(first: pd.DataFrame, lanes: pd.DataFrame) -> dict[int, int]:
    """The round of the first run beside each round, where there is one: each is nearest to the other."""
    theirs, ours = (table.groupby("round")["density"].mean() for table in (first, lanes))
    if theirs.empty or ours.empty:
        return {}
    apart = np.abs(np.log(ours.to_numpy()[:, None] / theirs.to_numpy()))
    nearest, nearest_back = apart.argmin(axis=1), apart.argmin(axis=0)
    return {
        int(ours.index[place]): int(theirs.index[there])
        for place, there in enumerate(nearest)
        if nearest_back[there] == place and apart[place, there] <= math.log(NEAR)
    }


def _difference(
    first: pd.DataFrame, beside: int, lanes: pd.DataFrame, round_number: int, is_paired: bool
) -> dict[str, float]:
    """What the row of a round says of it beside a round of the first run."""
    there = first[first["round"] == beside]
    one, other = _accuracies(lanes[lanes["round"] == round_number]), _accuracies(there)
    if is_paired:
        gains = (one - other).dropna()
        found, p = estimate(gains), inference.p_value(gains.to_numpy(), 0.0)
    else:
        found, p = welch(one, other), inference.p_value_unpaired(one.to_numpy(), other.to_numpy())
    return {
        "difference": found.mean,
        "difference_ci95": found.half_width,
        "difference_n": found.n,
        "p": p,
        "beside_density": float(there["density"].mean()),
    }


def _of_arm(results: pd.DataFrame, arm: str) -> pd.Series:
    """An arm's lanes, and the dense network's."""
    is_dense = (results["round"] == 0) & (results["arm"] == "ticket")
    return (results["arm"] == arm) | is_dense


def _accuracies(lanes: pd.DataFrame) -> pd.Series:
    return lanes.groupby("replicate")["accuracy_at_early_stop"].mean().astype(np.float64)
