"""Scalars of a round: learning curves and results of each arm, means over replicates and draws."""

import math
from collections.abc import Iterator

import pandas as pd

from ltr.analysis.learning_curves import finite
from ltr.store.chains import has_result
from ltr.trackers.tracker import Scalar

CURVES = ("train_loss", "val_loss", "val_accuracy")
ROUNDS = ("accuracy_at_early_stop", "early_stop_step", "final_accuracy", "density")


def scalars(metrics: pd.DataFrame, results: pd.DataFrame, round_number: int) -> list[Scalar]:
    """Return the scalars of a finished round, means over replicates and draws without diverged lanes.

    If any diverged, their number is a scalar too.

    Args:
        metrics: rows of the metrics table, which give each arm's learning curves.
        results: rows of the results table, which give each arm's results.
        round_number: the finished round.
    """
    curves = _curves(metrics[metrics["round"] == round_number], round_number)
    ends = _ends(results[results["round"] == round_number], round_number)
    return [*curves, *ends]


def _curves(metrics: pd.DataFrame, round_number: int) -> Iterator[Scalar]:
    means = finite(metrics).groupby(["arm", "step"])[list(CURVES)].mean()
    for row in means.reset_index().to_dict("records"):
        for name in CURVES:
            if not math.isnan(row[name]):  # there is no training loss before the first step
                yield Scalar(row["arm"], f"round_{round_number:02}/{name}", row["step"], row[name])


def _ends(results: pd.DataFrame, round_number: int) -> Iterator[Scalar]:
    for row in (
        results[has_result(results)].groupby("arm")[list(ROUNDS)].mean().reset_index().to_dict("records")
    ):
        for name in ROUNDS:
            yield Scalar(row["arm"], name, round_number, row[name])
    for arm, diverged in results[results["diverged_step"].notna()].groupby("arm").size().items():
        yield Scalar(str(arm), "diverged", round_number, float(diverged))
