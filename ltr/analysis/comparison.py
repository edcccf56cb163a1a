"""Comparison of runs: the same arm at nearly the same densities."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ltr.analysis import inference
from ltr.analysis.statistics import Estimate, critical_value, estimate
from ltr.analysis.summary import by_round
from ltr.store.chains import has_result

NEAR = 1.1
"""Largest factor between the densities of two rounds of different runs that are compared.

Kept weights are rounded in each layer, so other layers or prune rates give slightly different densities,
such as 51.6 and 50.5 %. Successive rounds at the usual rate differ by a factor of 1.25.
"""

NO_DIFFERENCE = {
    "difference": math.nan,
    "difference_ci95": math.nan,
    "difference_n": 0,
    "p": math.nan,
    "beside_density": math.nan,
}
"""Columns of a round without a matching round in the first run."""


def compare(runs: Sequence[pd.DataFrame], arm: str, paired: Sequence[bool]) -> pd.DataFrame:
    """Compare an arm's rounds in every run with the first run's rounds at nearly the same density.

    A round is compared with a round of the first run if each has the density nearest to the other's, within
    a factor of `NEAR`.

    Args:
        runs: results tables; the others are compared with the first.
        arm: the arm to compare, beside round 0, which is the dense network's.
        paired: for each run, whether its replicates start from the first run's weights. If so, differences
            are paired, and means are taken over the replicates of which all such runs have results
            (`in_common`).
            If not, differences are tested by Welch (1947).

    Returns:
        One row for each round of a run, by falling density, compared rounds together. Accuracies are
        fractions. Columns:

        - `run`: position in `runs`; `round`; `density`; `n` replicates;
        - `accuracy`, `early_stop_step`: means, with the half-widths of their 95 % intervals,
          `accuracy_ci95` and `early_stop_step_ci95`; `censored`: number of lanes; `diverged`: number of
          lanes, which means and differences leave out, in the replicates that all paired runs have trained;
        - `difference`: accuracy minus the first run's, with `difference_ci95`; `difference_n`: pairs, or
          the smaller number of replicates; `p`: p-value, corrected over the rounds of the run;
        - `beside_density`: density of the first run's round. NaN without such a round, as all of these.
    """
    columns = ["round", "density", "n", "accuracy", "accuracy_ci95", "early_stop_step"]
    columns += ["early_stop_step_ci95", "censored", "diverged"]
    of_arm = [results[_of_arm(results, arm)] for results in in_common(runs, arm, paired)]
    diverged = _diverged(runs, arm, paired)
    rows = []
    for run, lanes in enumerate(of_arm):
        matched = matching_rounds(of_arm[0], lanes) if run else {}
        differences = {
            round_number: _difference(of_arm[0], first_round, lanes, round_number, paired[run])
            for round_number, first_round in matched.items()
        }
        corrected = inference.holm([difference["p"] for difference in differences.values()])
        for difference, p in zip(differences.values(), corrected, strict=True):
            difference["p"] = p
        rows += [
            {"run": run}
            | row
            | {"diverged": diverged[run].get(row["round"], 0)}
            | differences.get(row["round"], NO_DIFFERENCE)
            for row in by_round(lanes)[columns].to_dict("records")
        ]
    frame = pd.DataFrame(rows, columns=["run", *columns, *NO_DIFFERENCE])
    frame["together"] = frame["beside_density"].fillna(frame["density"])
    order = frame.sort_values(["together", "run"], ascending=[False, True], kind="stable", ignore_index=True)
    return order.drop(columns="together")


def in_common(runs: Sequence[pd.DataFrame], arm: str, paired: Sequence[bool]) -> list[pd.DataFrame]:
    """Restrict the tables of paired runs to the replicates of which all have results of an arm."""
    with_results = [
        set(results.loc[(results["arm"] == arm) & has_result(results), "replicate"]) for results in runs
    ]
    return _restricted(runs, with_results, paired)


def _diverged(runs: Sequence[pd.DataFrame], arm: str, paired: Sequence[bool]) -> list[pd.Series]:
    """Count the lanes of an arm that diverged in each run, by round."""
    of_arm = [results[_of_arm(results, arm)] for results in runs]
    trained = _restricted(of_arm, [set(results["replicate"]) for results in of_arm], paired)
    return [results.groupby("round")["diverged_step"].count() for results in trained]


def _restricted(
    runs: Sequence[pd.DataFrame], replicates: Sequence[set[int]], paired: Sequence[bool]
) -> list[pd.DataFrame]:
    """Restrict the tables of paired runs to the replicates that are in the set of each run that has any.

    They stay whole if no paired run has any.
    """
    together = [True, *paired[1:]]
    of_paired = [some for some, is_paired in zip(replicates, together, strict=True) if is_paired and some]
    if not of_paired:
        return [*runs]
    shared = set.intersection(*of_paired)
    return [
        results[results["replicate"].isin(shared)] if is_paired else results
        for results, is_paired in zip(runs, together, strict=True)
    ]


def welch(one: pd.Series, other: pd.Series) -> Estimate:
    """Difference of the means of two independent samples of unequal variances (Welch, 1947).

    The half-width is NaN if a sample has fewer than two values, and if neither has any spread. `n` is the
    size of the smaller sample.
    """
    difference, fewest = float(one.mean() - other.mean()), min(len(one), len(other))
    if fewest < 2:
        return Estimate(difference, math.nan, fewest)
    error, freedom = inference.welch(one.to_numpy(), other.to_numpy())
    return Estimate(difference, critical_value(freedom) * error if error else math.nan, fewest)


def matching_rounds(first: pd.DataFrame, lanes: pd.DataFrame) -> dict[int, int]:
    """Map rounds to rounds of the first run: pairs that are mutually nearest in density, within `NEAR`."""
    theirs, ours = (table[has_result(table)].groupby("round")["density"].mean() for table in (first, lanes))
    if theirs.empty or ours.empty:
        return {}
    distances = np.abs(np.log(ours.to_numpy()[:, None] / theirs.to_numpy()))
    nearest, nearest_back = distances.argmin(axis=1), distances.argmin(axis=0)
    return {
        int(ours.index[i]): int(theirs.index[j])
        for i, j in enumerate(nearest)
        if nearest_back[j] == i and distances[i, j] <= math.log(NEAR)
    }


def _difference(
    first: pd.DataFrame, first_round: int, lanes: pd.DataFrame, round_number: int, is_paired: bool
) -> dict[str, float]:
    """Return the columns that compare a round with a round of the first run."""
    matched = first[first["round"] == first_round]
    one, other = _accuracies(lanes[lanes["round"] == round_number]), _accuracies(matched)
    if is_paired:
        gains = (one - other).dropna()
        difference, p = estimate(gains), inference.p_value(gains.to_numpy(), 0.0)
    else:
        difference, p = welch(one, other), inference.p_value_unpaired(one.to_numpy(), other.to_numpy())
    return {
        "difference": difference.mean,
        "difference_ci95": difference.half_width,
        "difference_n": difference.n,
        "p": p,
        "beside_density": float(matched["density"].mean()),
    }


def _of_arm(results: pd.DataFrame, arm: str) -> pd.Series:
    """Return for each row whether it is a lane of the arm or of the dense network."""
    is_dense = (results["round"] == 0) & (results["arm"] == "ticket")
    return (results["arm"] == arm) | is_dense


def _accuracies(lanes: pd.DataFrame) -> pd.Series:
    return lanes.groupby("replicate")["accuracy_at_early_stop"].mean().astype(np.float64).dropna()
