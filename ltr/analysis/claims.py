"""The claims of Frankle & Carbin (2019), each a typed check of a results table in a round.

All compare two lanes of the same replicate, which, but for fresh weights, start from the same ones, and in
the same round see the data in the same order: what they share cancels. Draws of a control are averaged
first. What bears on a claim is the mean over replicates of that difference, against a bound. How verdicts
are drawn from it is in `ltr.analysis.verdicts`.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltr.analysis.inference import p_value
from ltr.config import schema
from ltr.errors import ConfigError

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


class Claim(NamedTuple):
    """A claim.

    Attributes:
        says: it in words, of "the ticket".
        short: the same in a few words, for a headline.
        tests: lanes (see `by_replicate`), round -> what bears on it there; where it is several, all have to
            hold.
        arm: the control that it is about, if it is about one.
    """

    says: str
    short: str
    tests: Callable[[pd.DataFrame, int], Sequence[Evidence]]
    arm: str = "ticket"


def matches(lanes: pd.DataFrame, round_number: int) -> list[Evidence]:
    """Its accuracy is not lower than that of the dense network by `MATCHING_TOLERANCE` or more."""
    return [Evidence(_gain(lanes, round_number, "ticket", 0), -MATCHING_TOLERANCE)]


def faster(lanes: pd.DataFrame, round_number: int) -> list[Evidence]:
    """It stops earlier than the dense network."""
    return [_speed(lanes, round_number, "ticket", 0)]


def wins(lanes: pd.DataFrame, round_number: int) -> list[Evidence]:
    """Both: it is more accurate than the dense network, and stops earlier."""
    return [Evidence(_gain(lanes, round_number, "ticket", 0)), *faster(lanes, round_number)]


def better_than(arm: str) -> Callable[[pd.DataFrame, int], list[Evidence]]:
    """A test that its accuracy is higher than that of another arm in the same round."""
    return lambda lanes, round_number: [Evidence(_gain(lanes, round_number, arm, round_number))]


def faster_than(arm: str) -> Callable[[pd.DataFrame, int], list[Evidence]]:
    """A test that it stops earlier than another arm in the same round."""
    return lambda lanes, round_number: [_speed(lanes, round_number, arm, round_number)]


def after_round_1(
    tests: Callable[[pd.DataFrame, int], list[Evidence]],
) -> Callable[[pd.DataFrame, int], list[Evidence]]:
    """The test, but for round 1, where pruning at once and iterating are one."""
    return lambda lanes, round_number: (
        tests(lanes, round_number) if round_number > 1 else [Evidence(np.empty(0))]
    )


CLAIMS = {
    "matches": Claim(
        "is at most 0.2 points less accurate than the dense network", "matches the dense network", matches
    ),
    "wins": Claim(
        "wins: is more accurate than the dense network, and learns faster",
        "wins over the dense network",
        wins,
    ),
    "faster": Claim("learns faster than the dense network", "learns faster than the dense network", faster),
    "weights": Claim(
        "needs its own initial weights: fresh ones are worse",
        "is more accurate than with fresh weights",
        better_than("random_reinit"),
        "random_reinit",
    ),
    "structure": Claim(
        "needs its own connections: random ones are worse",
        "is more accurate than a random mask",
        better_than("random_mask"),
        "random_mask",
    ),
    "iterating": Claim(
        "is found by iterating: pruning at once is worse",
        "is more accurate than pruned at once",
        after_round_1(better_than("one_shot")),
        "one_shot",
    ),
    "weights_speed": Claim(
        "learns faster than with fresh initial weights",
        "learns faster than with fresh weights",
        faster_than("random_reinit"),
        "random_reinit",
    ),
    "structure_speed": Claim(
        "learns faster than with random connections",
        "learns faster than a random mask",
        faster_than("random_mask"),
        "random_mask",
    ),
    "iterating_speed": Claim(
        "learns faster than what is pruned at once",
        "learns faster than pruned at once",
        after_round_1(faster_than("one_shot")),
        "one_shot",
    ),
}
"""By name. The paper's controls are slower as well as worse; that they are slower takes fewer replicates."""


def by_replicate(results: pd.DataFrame) -> pd.DataFrame:
    """Means over draws, of `MEASURES`: a row per replicate, a column per (measure, arm, round)."""
    lanes = results.astype(dict.fromkeys(MEASURES, np.float64))
    return lanes.pivot_table(index="replicate", columns=["arm", "round"], values=[*MEASURES])


def check(experiment: schema.Experiment) -> None:
    """ConfigError if replicates are to be added until claims are decided that cannot be."""
    asked = experiment.claims
    if asked.most is None:
        return
    if experiment.replicates > asked.most:
        raise ConfigError(f"claims.most={asked.most}: must be at least replicates={experiment.replicates}")
    if experiment.ticket:
        raise ConfigError("replicates=auto: needs ticket=null; of another run's tickets there are no more")
    if experiment.rewind.name != "weights":
        raise ConfigError(
            f"replicates=auto: needs rewind=weights, not {experiment.rewind.name}, which no claim is about"
        )
    for name in asked.decide:
        if CLAIMS[name].arm not in experiment.arms:
            raise ConfigError(f"claims.decide: {name} needs {CLAIMS[name].arm} among arms")


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
