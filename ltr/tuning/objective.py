"""Objective of a trial: mean validation accuracy of its tickets at a density.

Nothing here, nor in what calls it, reads a test accuracy: of the metrics table only `COLUMNS` are kept.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltr.store import tables

COLUMNS = ("arm", "replicate", "round", "density", "step", "val_loss", "val_accuracy")
"""Columns of the metrics table that a trial is judged by."""

TOLERANCE = 0.005
"""Relative excess of a round's density over the requested one that still reaches it, as counts are whole."""

RATIO = 0.8
"""Approximate ratio of neighbouring densities at which trials are compared while they train."""

STARTUP = 5
"""Number of finished trials before the first is pruned."""


class Ticket(NamedTuple):
    """Ticket of a round of one replicate.

    Attributes:
        density: share of kept weights.
        accuracy: validation accuracy at the early stop; NaN if it diverged.
    """

    density: float
    accuracy: float


def tickets(folder: Path, replicates: int) -> dict[int, list[Ticket]]:
    """Return the trained tickets of a run's first `replicates` replicates, see `tickets_of`."""
    results = tables.read(folder, "results")
    emptied = results.loc[(results["arm"] == "ticket") & results["emptied_layer"].notna(), "replicate"]
    return tickets_of(tables.read(folder, "metrics")[list(COLUMNS)], replicates, {*emptied})


def tickets_of(
    metrics: pd.DataFrame, replicates: int, emptied: Collection[int] = ()
) -> dict[int, list[Ticket]]:
    """Return tickets by replicate, from dense to sparse, in the rounds that all replicates have trained.

    Another command may have trained more replicates of the run, or some of them further than others. The
    accuracy is that at the first step of minimum validation loss, the early stop. A ticket whose last
    validation loss is missing diverged.

    Args:
        metrics: rows with `COLUMNS`.
        replicates: number of replicates, of which the first are returned.
        emptied: replicates that ended, as pruning emptied a layer.
    """
    lanes = ["replicate", "round"]
    is_own = (metrics["arm"] == "ticket") & (metrics["replicate"] < replicates)
    rows = metrics[is_own].sort_values([*lanes, "step"], kind="stable")
    last = rows.drop_duplicates(lanes, keep="last").set_index(lanes)
    best = rows.sort_values("val_loss", kind="stable").drop_duplicates(lanes).set_index(lanes)
    accuracies = best["val_accuracy"].reindex(last.index).where(last["val_loss"].notna())
    diverged = accuracies.index[accuracies.isna()].get_level_values("replicate")
    trained = _last_common_round(last.index, {*range(replicates)} - {*emptied} - {*diverged})
    found: dict[int, list[Ticket]] = {}
    for (replicate, number), *values in zip(last.index, last["density"], accuracies, strict=True):
        if number <= trained:
            found.setdefault(int(replicate), []).append(Ticket(*map(float, values)))
    return {replicate: sorted(of_one, reverse=True) for replicate, of_one in found.items()}


def _last_common_round(trained: Iterable[tuple[int, int]], replicates: Collection[int]) -> float:
    """Return the last round of the replicate that is behind; -1 if one has none, infinity without any.

    `trained`: replicate and round of each ticket.
    """
    last = dict.fromkeys(replicates, -1) | dict(sorted(trained))
    return min((last[replicate] for replicate in replicates), default=math.inf)


def accuracy_at(density: float, replicates: Sequence[Sequence[Ticket]]) -> float:
    """Return the mean validation accuracy of replicates at a density.

    Between two rounds it is interpolated linearly in the logarithm of the density. A replicate without a
    result there, as its ticket diverged or lost a layer, counts as 0.

    Args:
        density: in (0, 1].
        replicates: tickets of each, from dense to sparse.
    """
    return float(np.mean([_accuracy_of_one(density, of_one) for of_one in replicates]))


def _accuracy_of_one(density: float, of_one: Sequence[Ticket]) -> float:
    above = [ticket for ticket in of_one if ticket.density >= density]
    below = [ticket for ticket in of_one if ticket.density <= density * (1 + TOLERANCE)]
    if not below:
        return 0.0
    right = below[0]
    left = above[-1] if above else right
    if left.density <= right.density:
        accuracy = right.accuracy
    else:
        share = math.log(left.density / density) / math.log(left.density / right.density)
        accuracy = left.accuracy + share * (right.accuracy - left.accuracy)
    return 0.0 if math.isnan(accuracy) else accuracy


def ladder(density: float) -> list[float]:
    """Return densities from 1 to the requested one, in equal ratios near `RATIO`."""
    steps = math.ceil(math.log(density) / math.log(RATIO) - TOLERANCE)
    return [density ** (step / steps) for step in range(steps + 1)] if steps else [1.0]


def reached(replicates: Sequence[Sequence[Ticket]]) -> float:
    """Return the density of the last round of the replicate that is ahead; 1 before the first has ended."""
    return min((of_one[-1].density for of_one in replicates if of_one), default=1.0)


def rungs(density: float, replicates: Sequence[Sequence[Ticket]]) -> dict[int, float]:
    """Return the accuracies at the densities of `ladder(density)` that a run has reached, by index."""
    if not replicates:
        return {}
    last = reached(replicates)
    return {
        index: accuracy_at(rung, replicates)
        for index, rung in enumerate(ladder(density))
        if last <= rung * (1 + TOLERANCE)
    }


def is_hopeless(own: dict[int, float], finished: Sequence[dict[int, float]]) -> bool:
    """Return whether a trial is below the median of the finished ones at the last density that it reached.

    Accuracies are compared at equal density alone. Nothing is pruned before `STARTUP` trials have finished,
    nor for the accuracy of the dense network.

    Args:
        own: accuracies of the trial by index in the ladder.
        finished: those of each finished trial.
    """
    last = max(own, default=0)
    others = [rungs[last] for rungs in finished if last in rungs]
    return last > 0 and len(others) >= STARTUP and own[last] < float(np.median(others))
