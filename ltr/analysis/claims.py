"""The claims of Frankle & Carbin (2019), each a typed check of a results table, round by round.

All compare two lanes of the same replicate, which, but for fresh weights, start from the same ones, and in
the same round see the data in the same order: what they share cancels. Draws of a control are averaged
first. The statistic is the mean over replicates of that difference, tested by Student's t against a bound,
both ways at once, and corrected over the rounds where a claim is tested (Holm, 1979): a claim is

    supported  where the mean lies above the bound, beyond chance;
    refuted    where it lies below, beyond chance;
    undecided  otherwise.

Where the mean is the bound in every round, at most 5 runs in 100 see a claim supported or refuted in one,
half of them each; claims are not corrected for one another. Where replicates were added until claims were
decided, every p is multiplied by the number of times it might have been looked (Bonferroni), so that those
5 hold for all looks together. Rounds are chosen beforehand: the fewer, the more power each of them has.

An effect as large as one deviation between replicates is seen in a single round with a probability of 0.40
by 5 replicates and of 0.80 by 10, one of two deviations with 0.91 by 5.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltr import config
from ltr.analysis.inference import LEVEL, bootstrap, holm, interval, p_value, replicates_needed
from ltr.analysis.winning import MATCHING_TOLERANCE
from ltr.errors import ConfigError

MEASURES = ACCURACY, STEP, CENSORED = "accuracy_at_early_stop", "early_stop_step", "censored"

SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"


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
        return p_value(self.values, self.bound)


class Claim(NamedTuple):
    """A claim.

    Attributes:
        says: it in words, of "the ticket".
        tests: lanes by replicate, round -> what bears on it there; where it is several, all have to hold.
        arm: the control that it is about, if it is about one.
    """

    says: str
    tests: Callable[[pd.DataFrame, int], Sequence[Evidence]]
    arm: str = "ticket"


class Verdict(NamedTuple):
    """What is found of a claim in a round.

    Attributes:
        round, density: of the ticket.
        verdict: "supported", "refuted" or "undecided".
        effect, unit: the mean difference; of a claim with several tests, of the one that least holds.
        low, high: its 95 % confidence interval by Student's t, not corrected.
        bootstrap_low, bootstrap_high: the same by bootstrap.
        p: of the test, corrected over rounds and looks.
        n: replicates.
        needed: replicates that would probably decide it (see `replicates_needed`); None where it is
            decided, where censoring forbids the verdict, or nobody knows.
    """

    round: int
    density: float
    verdict: str
    effect: float
    unit: str
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float
    p: float
    n: int
    needed: int | None


def matches(lanes: pd.DataFrame, round: int) -> list[Evidence]:
    """Its accuracy is not lower than that of the dense network by `MATCHING_TOLERANCE` or more."""
    return [Evidence(_gain(lanes, round, "ticket", 0), -MATCHING_TOLERANCE)]


def faster(lanes: pd.DataFrame, round: int) -> list[Evidence]:
    """It stops earlier than the dense network: log2 of the ratio of their early-stop steps.

    A lane that had not turned by its last step stops there or later. So if a ticket's is censored, its
    true ratio may be any worse: nothing is supported; if a dense network's is, it may be any better:
    nothing is refuted. Otherwise the ratio counts as seen, which speaks less for what is decided.
    """
    steps, of_dense = (_of(lanes, STEP, "ticket", at).clip(lower=1) for at in (round, 0))
    ratios = (of_dense / steps).dropna().map(math.log2)
    hidden, hidden_dense = (_of(lanes, CENSORED, "ticket", at)[ratios.index].any() for at in (round, 0))
    return [
        Evidence(
            ratios.to_numpy(np.float64),
            unit="log2 steps",
            can_support=not hidden,
            can_refute=not hidden_dense,
        )
    ]


def wins(lanes: pd.DataFrame, round: int) -> list[Evidence]:
    """Both: it is more accurate than the dense network, and stops earlier."""
    return [Evidence(_gain(lanes, round, "ticket", 0)), *faster(lanes, round)]


def better_than(arm: str) -> Callable[[pd.DataFrame, int], list[Evidence]]:
    """A test that its accuracy is higher than that of another arm in the same round."""

    def better(lanes: pd.DataFrame, round: int) -> list[Evidence]:
        return [Evidence(_gain(lanes, round, arm, round))]

    return better


def iterating(lanes: pd.DataFrame, round: int) -> list[Evidence]:
    """Its accuracy is higher than that of pruning at once; in round 1 the two are one."""
    return better_than("one_shot")(lanes, round) if round > 1 else [Evidence(np.empty(0))]


CLAIMS = {
    "matches": Claim("is at most 0.2 points less accurate than the dense network", matches),
    "wins": Claim("wins: is more accurate than the dense network, and learns faster", wins),
    "faster": Claim("learns faster than the dense network", faster),
    "weights": Claim(
        "needs its own initial weights: fresh ones are worse", better_than("random_reinit"), "random_reinit"
    ),
    "structure": Claim(
        "needs its own connections: random ones are worse", better_than("random_mask"), "random_mask"
    ),
    "iterating": Claim("is found by iterating: pruning at once is worse", iterating, "one_shot"),
}
"""By name."""


EVERY_ROUND = config.Claims(densities=())

NEAR = 1.25
"""A round is tested for a density that it is within such a factor of."""


def verdicts(results: pd.DataFrame, asked: config.Claims = EVERY_ROUND) -> dict[str, list[Verdict]]:
    """What a results table says of every claim, by round; nothing of those that it has no lanes for."""
    tickets = results[results["arm"] == "ticket"]
    of_rounds = tickets[tickets["round"] > 0].groupby("round")["density"].mean()
    densities = of_rounds[tested(of_rounds, asked.densities)]
    looks = max(1, len(asked.looks))
    lanes, found = _by_replicate(results), {}
    for name, claim in CLAIMS.items():
        evidence = {int(round): claim.tests(lanes, int(round)) for round in densities.index}
        rounds = {
            round: tests for round, tests in evidence.items() if all(len(test.values) for test in tests)
        }
        if rounds:
            found[name] = _family(rounds, densities, looks)
    return found


def of_run(results: pd.DataFrame, experiment: config.Experiment) -> dict[str, list[Verdict]]:
    """The verdicts of a run; none if its tickets do not start again from early weights, as the paper's do."""
    return verdicts(results, experiment.claims) if experiment.rewind.name == "weights" else {}


def tested(densities: pd.Series, wanted: Sequence[float]) -> list[int]:
    """The rounds nearest to the densities wanted, of those that are near; if there are none, every round."""
    apart = [np.abs(np.log(densities.to_numpy(np.float64) / one)) for one in wanted if len(densities)]
    near = {int(factors.argmin()) for factors in apart if factors.min() <= math.log(NEAR)}
    return [int(densities.index[place]) for place in sorted(near)] or list(densities.index)


def check(experiment: config.Experiment) -> None:
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


def undecided(found: Mapping[str, Sequence[Verdict]], decide: Sequence[str]) -> list[str]:
    """Those claims of `decide` that are not decided in every round where they are tested."""
    return [name for name in decide if any(one.verdict == UNDECIDED for one in found.get(name, []))]


def sparsest(of_matching: Sequence[Verdict]) -> Verdict | None:
    """The smallest density at which tickets are known to match, of the verdicts on `matches`."""
    supported = [one for one in of_matching if one.verdict == SUPPORTED]
    return min(supported, key=lambda one: one.density, default=None)


def _family(rounds: dict[int, Sequence[Evidence]], densities: pd.Series, looks: int) -> list[Verdict]:
    """The verdicts of a claim's rounds, corrected for each other and for looks."""
    weakest = {round: min(tests, key=_strength) for round, tests in rounds.items()}
    adjusted = holm([min(1.0, looks * _p(weakest[round], len(tests))) for round, tests in rounds.items()])
    return [
        _verdict(round, float(densities[round]), weakest[round], p, LEVEL / len(rounds) / looks)
        for round, p in zip(rounds, adjusted, strict=True)
    ]


def _strength(test: Evidence) -> float:
    """From -1, surely not, to 1, surely so: several tests hold as surely as the weakest of them does."""
    return {SUPPORTED: 1, REFUTED: -1, UNDECIDED: 0}[test.verdict] * (1 - test.p)


def _p(weakest: Evidence, tests: int) -> float:
    """Of several tests: each of them may refute, all have to support."""
    return min(1.0, tests * weakest.p) if weakest.verdict == REFUTED else weakest.p


def _verdict(round: int, density: float, test: Evidence, p: float, strictest: float) -> Verdict:
    """`p` is corrected; `strictest`: what it would have to be below if it were not."""
    is_decided = p < LEVEL and test.verdict != UNDECIDED
    is_open = not is_decided and test.verdict != UNDECIDED
    return Verdict(
        round,
        density,
        test.verdict if is_decided else UNDECIDED,
        test.effect,
        test.unit,
        *interval(test.values),
        *bootstrap(test.values),
        p,
        len(test.values),
        replicates_needed(test.values, test.bound, strictest) if is_open else None,
    )


def _by_replicate(results: pd.DataFrame) -> pd.DataFrame:
    """Means over draws, of `MEASURES`: a row per replicate, a column per (measure, arm, round)."""
    lanes = results.astype(dict.fromkeys(MEASURES, np.float64))
    return lanes.pivot_table(index="replicate", columns=["arm", "round"], values=[*MEASURES])


def _of(lanes: pd.DataFrame, measure: str, arm: str, round: int) -> pd.Series:
    """By replicate; empty where there are none."""
    column = (measure, arm, round)
    return lanes[column] if column in lanes else pd.Series(dtype=np.float64)


def _gain(lanes: pd.DataFrame, round: int, arm: str, at: int) -> np.ndarray:
    """The ticket's accuracy in a round less that of an arm in its, of the replicates that have both."""
    gained = _of(lanes, ACCURACY, "ticket", round) - _of(lanes, ACCURACY, arm, at)
    return gained.dropna().to_numpy(np.float64)
