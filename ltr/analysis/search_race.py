"""The race of searches: the accuracy of masks against the cost of finding them, beside iterative pruning.

All contestants start from the same weights and train as the ticket does. They differ in how their masks were
found, so the question is which search gives masks as good as those of iterative magnitude pruning (IMP; the
arm `ticket`), and for how much less.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ltr.analysis import inference
from ltr.analysis.claims import UNDECIDED
from ltr.analysis.comparison import matching_rounds
from ltr.analysis.statistics import ci95, critical_value, half_width
from ltr.analysis.verdicts import tested_rounds
from ltr.config.schema import Arm, Experiment
from ltr.methods.registry import METHODS, WEIGHTS_ALONE
from ltr.pruning.registry import REWINDINGS
from ltr.store.chains import has_result
from ltr.store.tables import LANE

MARGIN = 0.003
"""Largest loss of accuracy, as a fraction, of a mask that counts as good as that of IMP."""

FEWEST = 2
"""Smallest number of contestants, beside IMP, that make a race."""

IMP = "ticket"
"""Arm that the others are compared with."""

AS_GOOD, WORSE = "as good", "worse"

COLUMNS = (
    "run",
    "round",
    "density",
    "arm",
    "arm_density",
    "n",
    "lost",
    "accuracy",
    "accuracy_ci95",
    "cost",
    "cost_seconds",
    "times_less",
    "difference",
    "difference_interval",
    "pairs",
    "verdict",
    "on_front",
)


class Searched(NamedTuple):
    """A run: what was requested, and the rows of its tables "results" and "timings"."""

    experiment: Experiment
    results: pd.DataFrame
    timings: pd.DataFrame


def contestants(experiment: Experiment) -> list[str]:
    """Return the arms that take part in the race, beside IMP.

    An arm takes part if it differs from the ticket in nothing but the source of its mask: `one_shot`, scores
    at initialisation, and masks that a search found. So does one whose method finds a mask while it trains
    weights, such as RigL. Searches themselves do not (`mask=iterated`, and methods that train scores), nor
    do controls: masks that are shuffled or inverted, and other weights.
    """
    return [arm for arm in experiment.arms if arm != IMP and _takes_part(experiment.arm.get(arm, Arm()))]


def base_lines(experiment: Experiment) -> list[str]:
    """Return the arms that show what a mask is worth that nothing searched for: the ticket's, shuffled."""
    return [
        name
        for name in experiment.arms
        if (arm := experiment.arm.get(name, Arm())).shuffle != "none"
        and replace(arm, shuffle="none", draws=1) == Arm()
    ]


def is_race(experiment: Experiment) -> bool:
    """Return whether a run has enough contestants, which all rewind weights."""
    rewinding = REWINDINGS.get(experiment.rewind.name)
    is_rewound = rewinding is not None and rewinding.restores_weights
    return is_rewound and len(contestants(experiment)) >= FEWEST


def raced(experiment: Experiment) -> set[str]:
    """Return the arms of which a race says what there is to say, searches included; empty without a race."""
    if not is_race(experiment):
        return set()
    arms = {name: experiment.arm.get(name, Arm()) for name in experiment.arms}
    searches = {name for name, arm in arms.items() if arm.mask == "iterated" or _trains_scores(arm)}
    return searches | {*contestants(experiment), *base_lines(experiment)}


def race_rounds(results: pd.DataFrame, experiment: Experiment) -> list[int]:
    """Return the rounds of the race that have a ticket: `control_rounds`, or those where claims are tested.

    That is where contestants are trained, and not chosen by any result.
    """
    if not experiment.control_rounds:
        return tested_rounds(results, experiment)
    is_ticket = (results["arm"] == IMP) & results["round"].isin([*experiment.control_rounds])
    return sorted(set(results.loc[is_ticket & (results["round"] <= experiment.rounds), "round"]))


def race_of(run: Searched) -> pd.DataFrame:
    """Return the race of one run (see `search_race`); without rows if it has none."""
    return search_race([run], [True]) if is_race(run.experiment) else pd.DataFrame(columns=list(COLUMNS))


def search_race(runs: Sequence[Searched], paired: Sequence[bool]) -> pd.DataFrame:
    """Compare contestants and base lines of some runs with IMP of the first run, at each of its densities.

    Differences have Student's intervals of 95 % for all methods of a density together, by Bonferroni: each
    method has a spread of its own, which pooled intervals such as Dunnett's deny, and the differences depend
    on one another, as IMP is in all of them. The verdicts need no further correction. For one density they
    are all right in at least 95 of 100 runs, whatever is true. They are not corrected for looks.

    Args:
        runs: the runs; IMP of the first is the reference.
        paired: for each run, whether its replicates start from the first run's weights. If so, differences
            are paired; if not, they are tested by Welch (1947).

    Returns:
        One row for each density and method, by falling density and rising cost, with `COLUMNS`:

        - `run`: position in `runs`; `round` of that run; `density` of IMP; `arm`; `arm_density`, of its
          networks;
        - `n` replicates with a result; `lost`, those of the run without; `accuracy`, a mean with the
          half-width `accuracy_ci95` of its own 95 % interval;
        - `cost`: operations of the search (`search_flops`), and of the training itself where that finds the
          mask, in trainings of the first run's dense network; `cost_seconds`: the same in seconds; NaN where
          a lane's is unknown; `times_less`: cost of IMP divided by the cost, NaN if that is 0;
        - `difference` of accuracy from IMP; `difference_interval`, the half-width of its interval; `pairs`,
          or the smaller number of replicates of independent runs;
        - `verdict`: "as good" if the interval is above -`MARGIN`; "worse" if it is below 0; else
          "undecided"; empty for IMP. Fewer than three pairs decide nothing;
        - `on_front`: whether no other method of the density is as accurate for less, by the means.
    """
    first = runs[0]
    is_dense = (first.results["round"] == 0) & (first.results["arm"] == IMP)
    dense = first.results.loc[is_dense, "flops"].mean()
    rows: list[dict[str, Any]] = []
    for round_number in race_rounds(first.results, first.experiment):
        entries = [
            entry
            for run, searched in enumerate(runs)
            for entry in _entries(run, searched, _matching(runs, run, round_number))
        ]
        rows += _compared(entries, dense, paired)
    return pd.DataFrame(rows, columns=list(COLUMNS))


class _Entry(NamedTuple):
    """A method at a density: its place, and `accuracy`, `flops` and `seconds` by replicate with a result."""

    run: int
    round: int
    arm: str
    arm_density: float
    replicates: int
    by_replicate: pd.DataFrame

    @property
    def is_imp(self) -> bool:
        return self.run == 0 and self.arm == IMP

    @property
    def accuracies(self) -> pd.Series:
        return self.by_replicate["accuracy"]


def _takes_part(arm: Arm) -> bool:
    """Return whether nothing but the source of its mask distinguishes an arm from the ticket."""
    if _finds_own_mask(arm):
        arm = replace(arm, shuffle="none", method=WEIGHTS_ALONE)
    return arm.mask != "iterated" and replace(arm, mask="ticket", found_by=None, draws=1) == Arm()


def _finds_own_mask(arm: Arm) -> bool:
    """Return whether the training of an arm finds a mask and the weights that belong to it."""
    method = METHODS.get(arm.method)  # None if a plug-in is not here
    return method is not None and method.finds_mask and not method.trains_scores


def _trains_scores(arm: Arm) -> bool:
    """Return whether the training of an arm finds a mask for weights that stay fixed."""
    method = METHODS.get(arm.method)
    return method is not None and method.trains_scores


def _matching(runs: Sequence[Searched], run: int, round_number: int) -> int | None:
    """Return the round of a run whose density is that of a round of the first run; None without any."""
    if not run:
        return round_number
    first, other = (runs[n].results for n in (0, run))
    matched = matching_rounds(first[first["arm"] == IMP], other[other["arm"] == IMP])
    return next((ours for ours, theirs in matched.items() if theirs == round_number), None)


def _entries(run: int, searched: Searched, round_number: int | None) -> list[_Entry]:
    """Return the methods of a run in a round, with those of which no lane is trained yet."""
    if round_number is None:
        return []
    experiment, results, timings = searched
    replicates = results["replicate"].nunique()
    of_round = results[(results["round"] == round_number) & has_result(results)]
    lanes = of_round.merge(timings, on=list(LANE), how="left")
    entries = []
    for arm in (IMP, *contestants(experiment), *base_lines(experiment)):
        of_arm = lanes[lanes["arm"] == arm]
        own = float(_finds_own_mask(experiment.arm.get(arm, Arm())))
        measured = pd.DataFrame(
            {
                "accuracy": of_arm["accuracy_at_early_stop"].astype(np.float64),
                "flops": of_arm["search_flops"].astype(np.float64) + own * of_arm["flops"],
                "seconds": of_arm["search_seconds"].astype(np.float64) + own * of_arm["seconds"],
            }
        )
        by_replicate = measured.groupby(of_arm["replicate"]).agg(_whole_mean)
        density = float(of_arm["density"].mean())
        entries.append(_Entry(run, round_number, arm, density, replicates, by_replicate))
    return entries


def _whole_mean(draws: pd.Series) -> float:
    """Return the mean of the draws of a replicate; NaN if one is unknown."""
    return float(draws.mean(skipna=False))


def _compared(entries: Sequence[_Entry], dense: float, paired: Sequence[bool]) -> list[dict[str, Any]]:
    """Return the rows of a density, by rising cost."""
    imp = next(entry for entry in entries if entry.is_imp)
    methods = len(entries) - 1
    rows = [
        _row(entry, imp, dense)
        | (_NOT_COMPARED if entry.is_imp else _difference(entry, imp, methods, paired[entry.run]))
        for entry in entries
    ]
    for row in rows:
        row["on_front"] = _is_on_front(row, rows)
    return sorted(rows, key=lambda row: (math.isnan(row["cost"]), row["cost"], row["run"]))


def _row(entry: _Entry, imp: _Entry, dense: float) -> dict[str, Any]:
    """Return the columns of a method that compare nothing, and the ratio of costs."""
    means = entry.by_replicate.mean(skipna=False)
    reference = imp.by_replicate["flops"].mean(skipna=False)
    return {
        "run": entry.run,
        "round": entry.round,
        "density": imp.arm_density,
        "arm": entry.arm,
        "arm_density": entry.arm_density,
        "n": len(entry.accuracies),
        "lost": entry.replicates - len(entry.accuracies),
        "accuracy": means["accuracy"],
        "accuracy_ci95": ci95(entry.accuracies),
        "cost": means["flops"] / dense,
        "cost_seconds": means["seconds"],
        "times_less": reference / means["flops"] if means["flops"] else math.nan,
    }


_NOT_COMPARED = {"difference": math.nan, "difference_interval": math.nan, "pairs": 0, "verdict": ""}
"""Columns of IMP."""


def _difference(entry: _Entry, imp: _Entry, methods: int, is_paired: bool) -> dict[str, Any]:
    """Return the columns that compare a method with IMP, one of several methods that are compared."""
    if is_paired:
        gains = (entry.accuracies - imp.accuracies).dropna()
        mean, n, interval = gains.mean(), len(gains), half_width(gains.std(ddof=1), len(gains), methods)
        below_margin, below = (inference.p_value(gains.to_numpy(), bound) for bound in (-MARGIN, 0.0))
    else:
        ones, others = entry.accuracies.to_numpy(), imp.accuracies.to_numpy()
        mean, n = entry.accuracies.mean() - imp.accuracies.mean(), min(len(ones), len(others))
        interval = _welch_interval(ones, others, methods) if n > 1 else math.nan
        below_margin, below = (inference.p_value_unpaired(ones + up, others) for up in (MARGIN, 0.0))
    verdict = UNDECIDED
    if mean > -MARGIN and methods * below_margin < inference.LEVEL:
        verdict = AS_GOOD
    elif mean < 0 and methods * below < inference.LEVEL:
        verdict = WORSE
    return {"difference": float(mean), "difference_interval": interval, "pairs": n, "verdict": verdict}


def _welch_interval(ones: np.ndarray, others: np.ndarray, methods: int) -> float:
    """Half-width of the interval of a difference of independent means, corrected; NaN without any spread."""
    error, freedom = inference.welch(ones, others)
    return critical_value(freedom, methods) * error if error else math.nan


def _is_on_front(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether no other method is as accurate for less, or more accurate for the same."""
    if math.isnan(row["cost"]) or math.isnan(row["accuracy"]):
        return False
    return not any(
        other["cost"] <= row["cost"]
        and other["accuracy"] >= row["accuracy"]
        and (other["cost"], other["accuracy"]) != (row["cost"], row["accuracy"])
        for other in rows
    )
