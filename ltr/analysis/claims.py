"""The claims of Frankle & Carbin (2019), each a typed check of a results table in a round.

All compare two lanes of the same replicate, which, but for fresh weights, start from the same ones, and in
the same round see the data in the same order: what they share cancels. Draws of a control are averaged
first. What bears on a claim is the mean over replicates of that difference, against a bound. How verdicts
are drawn from it is in `ltr.analysis.verdicts`.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltr.analysis.inference import p_value

MEASURES = ACCURACY, STEP, CENSORED = "accuracy_at_early_stop", "early_stop_step", "censored"

SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"

MATCHING_TOLERANCE = 0.002
"""A matching ticket is at most so much less accurate than the dense network (Frankle et al., 2020)."""


class Evidence(NamedTuple):
    """What bears on a claim in a round.

    Attributes:
        values: the difference that the claim is about, of each replicate; above the bound speaks for it.
        bound: what their mean has to exceed.
        unit: "fraction", of the test images, or "log2 steps".
        can_support, can_refute: false where censoring hides how far the values reach against it, or for it.
    """

    values: np.ndarray
    bound: float = 0.0
    unit: str = "fraction"
    can_support: bool = True
    can_refute: bool = True

    @property
    def effect(self) -> float:
        return float(self.values.mean())

    @property
    def verdict(self) -> str:
        """Which it can become, if it is sure enough."""
        if self.effect > self.bound:
            return SUPPORTED if self.can_support else UNDECIDED
        return REFUTED if self.can_refute else UNDECIDED

    @property
    def p(self) -> float:
        """Of the test against the bound; 1 where censoring forbids a verdict."""
        return 1.0 if self.verdict == UNDECIDED else p_value(self.values, self.bound)


def matches(lanes: pd.DataFrame, round_number: int, arm: str) -> list[Evidence]:
    """Its accuracy is not lower than that of the dense network by `MATCHING_TOLERANCE` or more."""
    return [Evidence(_gain(lanes, round_number, arm, 0), -MATCHING_TOLERANCE)]


def faster(lanes: pd.DataFrame, round_number: int, arm: str) -> list[Evidence]:
    """It stops earlier than the dense network."""
    return [_speed(lanes, round_number, arm, 0)]


def wins(lanes: pd.DataFrame, round_number: int, arm: str) -> list[Evidence]:
    """Both: it is more accurate than the dense network, and stops earlier."""
    return [Evidence(_gain(lanes, round_number, arm, 0)), *faster(lanes, round_number, arm)]


def better_than(lanes: pd.DataFrame, round_number: int, arm: str) -> list[Evidence]:
    """Its accuracy is higher than that of another arm in the same round."""
    return [Evidence(_gain(lanes, round_number, arm, round_number))]


def faster_than(lanes: pd.DataFrame, round_number: int, arm: str) -> list[Evidence]:
    """It stops earlier than another arm in the same round."""
    return [_speed(lanes, round_number, arm, round_number)]


def by_replicate(results: pd.DataFrame) -> pd.DataFrame:
    """Means over draws, of `MEASURES`: a row per replicate, a column per (measure, arm, round)."""
    lanes = results.astype(dict.fromkeys(MEASURES, np.float64))
    return lanes.pivot_table(index="replicate", columns=["arm", "round"], values=[*MEASURES])


def _of(lanes: pd.DataFrame, measure: str, arm: str, round_number: int) -> pd.Series:
    """By replicate; empty where there are none."""
    column = (measure, arm, round_number)
    return lanes[column] if column in lanes else pd.Series(dtype=np.float64)


def _gain(lanes: pd.DataFrame, round_number: int, arm: str, at: int) -> np.ndarray:
    """The ticket's accuracy in a round less that of an arm in its, of the replicates that have both."""
    gained = _of(lanes, ACCURACY, "ticket", round_number) - _of(lanes, ACCURACY, arm, at)
    return gained.dropna().to_numpy(np.float64)


def _speed(lanes: pd.DataFrame, round_number: int, arm: str, at: int) -> Evidence:
    """How much earlier the ticket stops in a round than an arm in its: log2 of the ratio of their steps.

    A lane that had not turned by its last step stops there or later. So if a ticket's is censored, its
    true ratio may be any worse: nothing is supported; if one of the other's is, it may be any better:
    nothing is refuted. Otherwise the ratio counts as seen, which speaks less for what is decided.
    """
    sides = (("ticket", round_number), (arm, at))
    steps, others = (_of(lanes, STEP, *side).clip(lower=1) for side in sides)
    ratios = (others / steps).dropna().map(math.log2)
    hidden, hidden_others = (bool(_of(lanes, CENSORED, *side)[ratios.index].any()) for side in sides)
    return Evidence(
        ratios.to_numpy(np.float64),
        unit="log2 steps",
        can_support=not hidden,
        can_refute=not hidden_others,
    )
