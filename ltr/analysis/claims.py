"""Evidence for the claims of Frankle & Carbin (2019): one function for each kind of claim.

A claim compares two lanes of the same replicate. They start from the same initial weights (except an arm
with fresh weights) and, in the same round, see the data in the same order, so shared effects cancel. Draws
of a control are averaged first. The evidence is the difference between the two lanes in each replicate, and
a bound for its mean. `ltr.analysis.verdicts` gives the verdicts.

A replicate in which either lane has no result, since it diverged or its chain had ended, is left out and
counted. The mean is then that of the replicates in which both train, and an arm that loses its worst lanes
looks better than it is.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltr.analysis.cells import Cells
from ltr.analysis.inference import p_value
from ltr.store.chains import has_result

MEASURES = ACCURACY, STEP, CENSORED = "accuracy_at_early_stop", "early_stop_step", "censored"

CUT_OFF = "disconnected"
"""Name of the share of draws whose inputs no path of kept weights joins to an output."""

SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"

MATCHING_TOLERANCE = 0.002
"""Largest loss of accuracy, as a fraction, of a matching ticket (Frankle et al., 2020)."""


class Evidence(NamedTuple):
    """Evidence for or against a claim in a round.

    Attributes:
        values: float64 [replicates]: the difference that the claim is about, in each replicate with both
            lanes.
        bound: value that the mean exceeds if the claim holds.
        unit: "fraction", of the test images, or "log2 steps".
        can_support: whether the claim may be supported; false if true values may be lower, by censoring.
        can_refute: whether the claim may be refuted; false if true values may be higher, by censoring.
        lost: number of replicates that lack the result of a lane.
        disconnected: number of replicates with both lanes in which a lane's inputs are joined to no output.
    """

    values: np.ndarray
    bound: float = 0.0
    unit: str = "fraction"
    can_support: bool = True
    can_refute: bool = True
    lost: int = 0
    disconnected: int = 0

    @property
    def effect(self) -> float:
        """Mean; NaN if no replicate has both lanes."""
        return float(self.values.mean()) if len(self.values) else math.nan

    @property
    def verdict(self) -> str:
        """Verdict if the mean is significant, as it cannot be without any value."""
        if self.effect > self.bound:
            return SUPPORTED if self.can_support else UNDECIDED
        return REFUTED if self.can_refute else UNDECIDED

    @property
    def p(self) -> float:
        """P-value of the test against the bound; 1 if censoring forbids a verdict."""
        return 1.0 if self.verdict == UNDECIDED else p_value(self.values, self.bound)


def matches(lanes: pd.DataFrame, round_number: int, arm: str) -> list[Evidence]:
    """Test that the ticket is less than `MATCHING_TOLERANCE` less accurate than the dense network."""
    return [_gain(lanes, round_number, arm, 0, -MATCHING_TOLERANCE)]


def faster(lanes: pd.DataFrame, round_number: int, arm: str) -> list[Evidence]:
    """Test that the ticket stops earlier than the dense network."""
    return [_speed(lanes, round_number, arm, 0)]


def wins(lanes: pd.DataFrame, round_number: int, arm: str) -> list[Evidence]:
    """Test that the ticket is more accurate than the dense network, and that it stops earlier."""
    return [_gain(lanes, round_number, arm, 0), *faster(lanes, round_number, arm)]


def better_than(lanes: pd.DataFrame, round_number: int, arm: str) -> list[Evidence]:
    """Test that the ticket is more accurate than another arm in the same round."""
    return [_gain(lanes, round_number, arm, round_number)]


def faster_than(lanes: pd.DataFrame, round_number: int, arm: str) -> list[Evidence]:
    """Test that the ticket stops earlier than another arm in the same round."""
    return [_speed(lanes, round_number, arm, round_number)]


def by_replicate(results: pd.DataFrame) -> pd.DataFrame:
    """Average `MEASURES` and `CUT_OFF` over draws: a row for each replicate, a column for each (measure, arm,
    round).

    NaN stands for lanes without a result.
    """
    cells = Cells(results, ["replicate", "arm", "round"])
    measured = (
        results[[*MEASURES]].assign(**{CUT_OFF: results["reached_outputs"] == 0}).where(has_result(results))
    )
    means = {measure: cells.means(measured[measure]) for measure in measured}
    table = pd.DataFrame(means, pd.MultiIndex.from_frame(pd.DataFrame(cells.keys))).unstack(["arm", "round"])
    columns = [*results[["arm", "round"]].drop_duplicates().itertuples(index=False, name=None)]
    return pd.DataFrame(table)[[(measure, *cell) for measure in measured for cell in columns]]


def _sides(
    lanes: pd.DataFrame, measure: str, round_number: int, arm: str, arm_round: int
) -> tuple[pd.Series, pd.Series]:
    """Return a measure of the ticket in a round and of an arm in `arm_round`, by replicate.

    Both are empty if either was not trained.
    """
    columns = (measure, "ticket", round_number), (measure, arm, arm_round)
    if not set(columns) <= set(lanes):
        return pd.Series(dtype=np.float64), pd.Series(dtype=np.float64)
    return lanes[columns[0]], lanes[columns[1]]


def _gain(lanes: pd.DataFrame, round_number: int, arm: str, arm_round: int, bound: float = 0.0) -> Evidence:
    """Accuracy of the ticket in a round minus that of an arm in `arm_round`."""
    accuracy, arm_accuracy = _sides(lanes, ACCURACY, round_number, arm, arm_round)
    gains = accuracy - arm_accuracy
    return Evidence(
        gains.dropna().to_numpy(np.float64),
        bound,
        lost=int(gains.isna().sum()),
        disconnected=_disconnected(lanes, round_number, arm, arm_round),
    )


def _disconnected(lanes: pd.DataFrame, round_number: int, arm: str, arm_round: int) -> int:
    """Count the replicates with both lanes in which one of these has no path from an input to an output."""
    share, arm_share = _sides(lanes, CUT_OFF, round_number, arm, arm_round)
    return int((share + arm_share > 0).sum())


def _speed(lanes: pd.DataFrame, round_number: int, arm: str, arm_round: int) -> Evidence:
    """Log2 of the early-stop step of an arm in `arm_round` divided by that of the ticket in its round.

    A censored lane stops at its last step or later. If a lane of the ticket is censored, its true ratio may
    be lower, so the claim cannot be supported. If a lane of the arm is censored, the true ratio may be
    higher, so the claim cannot be refuted. Otherwise the ratio enters as observed, which is conservative.
    """
    steps, arm_steps = (side.clip(lower=1) for side in _sides(lanes, STEP, round_number, arm, arm_round))
    every = arm_steps / steps
    ratios = every.dropna().map(math.log2)
    censored, arm_censored = (
        bool(side[ratios.index].any()) for side in _sides(lanes, CENSORED, round_number, arm, arm_round)
    )
    return Evidence(
        ratios.to_numpy(np.float64),
        unit="log2 steps",
        can_support=not censored,
        can_refute=not arm_censored,
        lost=int(every.isna().sum()),
        disconnected=_disconnected(lanes, round_number, arm, arm_round),
    )
