"""Verdicts: what the looks at a run decide of its claims, round by round.

The mean of what bears on a claim (`ltr.analysis.claims`) is tested by Student's t against its bound, both
ways at once, and corrected over the rounds where the claim is tested (Holm, 1979). A claim is

    supported  where the mean lies above the bound, beyond chance;
    refuted    where it lies below, beyond chance;
    undecided  otherwise.

Whoever looks again after more replicates, or in more rounds, has another chance to be wrong. So every look
at a claim spends a part of the 5 % that the claim may err with: p counts 2 times at the first look, 5 times
at the second, then 10, 20, 50, 100 times and so on. What a look has decided stays decided: a verdict is
that of the look whose corrected p is least. Where the mean is the bound in every round, a claim is then
wrongly supported or refuted in some round, at some look, in at most 5 runs of 100, half of them each,
whatever made people look again; in 2 or 3 of them if they look once. What is not spent, a ninth, is there
for those who choose the number of replicates by what they saw, which makes a t-test err more often.
Claims are not corrected for one another: where nothing differs at all, one run in six decides something of
one of the nine. Rounds are chosen before the first look: the fewer, the more power each has. A look is
corrected over every round that it or an earlier look tests: whoever tests fewer after a look has seen in
which of them effects are large.

An effect as large as one deviation between replicates is seen at the first look in a single round with a
probability of 0.26 by 5 replicates and of 0.68 by 10, one of two deviations with 0.78 by 5.
"""

import math
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltr.analysis.claims import REFUTED, SUPPORTED, UNDECIDED, Evidence, by_replicate
from ltr.analysis.inference import LEVEL, bootstrap, holm, interval, replicates_needed
from ltr.analysis.registry import CLAIMS
from ltr.config import schema
from ltr.pruning.registry import REWINDINGS
from ltr.store.looks import Look

NEAR = 1.25
"""A round is tested for a density that it is within such a factor of."""


class Verdict(NamedTuple):
    """What is found of a claim in a round.

    Attributes:
        round, density: of the ticket.
        verdict: "supported", "refuted" or "undecided".
        effect, unit: the mean difference at the last look; of a claim with several tests, of the one that
            least holds.
        low, high: its 95 % confidence interval by Student's t, not corrected.
        bootstrap_low, bootstrap_high: the same by bootstrap.
        p: of the test, corrected over rounds and looks; the least of any look.
        n: replicates.
        needed: replicates that would probably decide it at the next look (see `replicates_needed`); None
            where it is decided, where censoring forbids the verdict, or nobody knows.
        hidden: whether censoring forbids the verdict, however many replicates there are.
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
    hidden: bool


def look(results: pd.DataFrame, experiment: schema.Experiment) -> Look | None:
    """What there is to be looked at in a run that is finished; None where nothing is claimed of it.

    Nothing is claimed of tickets that do not start again from early weights, as the paper's do.

    Args:
        results: of all replicates that were trained, even if fewer were asked for now: else people might
            choose their number by the verdict that it gives.
        experiment: says at which densities claims are tested, up to which round, and which arms there are.
    """
    rounds = tested_rounds(results, experiment)
    draws = {arm: experiment.draws(arm) for arm in experiment.arms}
    found = Look(_complete(results, rounds, draws), draws, rounds, list(CLAIMS))
    lanes = by_replicate(_seen(results, found))
    claims = [name for name in CLAIMS if _evidence(lanes, name, rounds)]
    rewinding = REWINDINGS.get(experiment.rewind.name)
    if not claims or rewinding is None or not rewinding.restores_weights:
        return None
    return found._replace(claims=claims)


def with_look(before: Sequence[Look], new: Look | None) -> list[Look]:
    """The looks, with a new one for those claims that it tells more of than any before."""
    if new is None:
        return [*before]
    claims = [name for name in new.claims if not any(_covers(old, new, name) for old in before)]
    return [*before, new._replace(claims=claims)] if claims else [*before]


def verdicts(results: pd.DataFrame, looks: Sequence[Look]) -> dict[str, list[Verdict]]:
    """What the looks at a run decide of every claim, by round; nothing of those that none was at."""
    densities = results[results["arm"] == "ticket"].groupby("round")["density"].mean()
    lanes = [by_replicate(_seen(results, one)) for one in looks]
    found = {}
    for name in CLAIMS:
        of_claim = [
            _evidence(table, name, one.rounds)
            for table, one in zip(lanes, looks, strict=True)
            if name in one.claims
        ]
        if any(of_claim):
            found[name] = _verdicts(of_claim, densities)
    return found


def tested_rounds(results: pd.DataFrame, experiment: schema.Experiment) -> list[int]:
    """The rounds of a run, as far as they are asked for, in which claims are to be tested."""
    tickets = results[(results["arm"] == "ticket") & results["round"].between(1, experiment.rounds)]
    return tested(tickets.groupby("round")["density"].mean(), experiment.claims.densities)


def tested(densities: pd.Series, wanted: Sequence[float]) -> list[int]:
    """The rounds nearest to the densities wanted, of those that are near; if there are none, every round."""
    apart = [np.abs(np.log(densities.to_numpy(np.float64) / one)) for one in wanted if len(densities)]
    near = {int(factors.argmin()) for factors in apart if factors.min() <= math.log(NEAR)}
    return [int(densities.index[place]) for place in sorted(near) or range(len(densities))]


def cost(looks: int) -> int:
    """How many times p counts at a look, after so many before it."""
    return (2, 5, 10)[looks % 3] * 10 ** (looks // 3)


def within(rounds: Container[int], found: Mapping[str, Sequence[Verdict]]) -> dict[str, list[Verdict]]:
    """The verdicts of some rounds."""
    shown = {name: [one for one in of if one.round in rounds] for name, of in found.items()}
    return {name: of for name, of in shown.items() if of}


def asked_for(
    experiment: schema.Experiment, found: Mapping[str, Sequence[Verdict]]
) -> dict[str, list[Verdict]]:
    """The verdicts that are of the rounds and arms of an experiment."""
    of_arms = {name: of for name, of in found.items() if CLAIMS[name].arm in experiment.arms}
    return within(range(experiment.rounds + 1), of_arms)


def undecided(found: Mapping[str, Sequence[Verdict]], decide: Sequence[str]) -> list[str]:
    """Those claims of `decide` that are not decided in every round where they are tested."""
    return [name for name in decide if any(one.verdict == UNDECIDED for one in found.get(name, []))]


def sparsest(of_matching: Sequence[Verdict]) -> Verdict | None:
    """The smallest density at which tickets are known to match, of the verdicts on `matches`."""
    supported = [one for one in of_matching if one.verdict == SUPPORTED]
    return min(supported, key=lambda one: one.density, default=None)


def _complete(results: pd.DataFrame, rounds: Sequence[int], draws: Mapping[str, int]) -> int:
    """How many replicates, from the first on, have every lane of the dense network and of these rounds."""
    asked = results[_drawn(results, draws) & results["round"].isin([0, *rounds])]
    lanes = asked.groupby("replicate").size()
    wanted = 1 + len(rounds) * sum(draws.values())
    whole = set(lanes.index[lanes >= wanted])
    return next(n for n in range(len(whole) + 1) if n not in whole)


def _covers(old: Look, new: Look, claim: str) -> bool:
    """Whether the old look saw all that the new one sees of a claim."""
    arms = {"ticket", CLAIMS[claim].arm}
    return (
        claim in old.claims
        and old.replicates >= new.replicates
        and set(new.rounds) <= set(old.rounds)
        and all(old.draws.get(arm, 0) >= new.draws.get(arm, 0) for arm in arms)
    )


def _seen(results: pd.DataFrame, one: Look) -> pd.DataFrame:
    """The rows of a results table that were looked at."""
    return results[_drawn(results, one.draws) & (results["replicate"] < one.replicates)]


def _drawn(results: pd.DataFrame, draws: Mapping[str, int]) -> pd.Series:
    """Which rows are of the first so many draws of an arm."""
    return results["draw"] < results["arm"].map(draws).astype(np.float64)


def _evidence(lanes: pd.DataFrame, claim: str, rounds: Sequence[int]) -> dict[int, Sequence[Evidence]]:
    """What bears on a claim, by round, where there is anything."""
    found = {round_number: CLAIMS[claim].tests(lanes, round_number) for round_number in rounds}
    return {
        round_number: tests
        for round_number, tests in found.items()
        if tests and all(len(test.values) for test in tests)
    }


def _verdicts(of_looks: Sequence[Mapping[int, Sequence[Evidence]]], densities: pd.Series) -> list[Verdict]:
    """The verdicts on a claim of the looks at it, by round."""
    weakest = [
        {round_number: min(tests, key=_strength) for round_number, tests in seen.items()} for seen in of_looks
    ]
    families = [
        {round_number for seen in of_looks[: place + 1] for round_number in seen}
        for place in range(len(of_looks))
    ]
    corrected = [
        _corrected(seen, tests, len(family), place)
        for place, (seen, tests, family) in enumerate(zip(of_looks, weakest, families, strict=True))
    ]
    return [
        _verdict(
            round_number,
            float(densities[round_number]),
            [
                (p[round_number], tests[round_number])
                for p, tests in zip(corrected, weakest, strict=True)
                if round_number in p
            ],
            LEVEL / len(families[-1]) / cost(len(of_looks)),
        )
        for round_number in sorted(families[-1])
    ]


def _corrected(
    seen: Mapping[int, Sequence[Evidence]], weakest: Mapping[int, Evidence], family: int, before: int
) -> dict[int, float]:
    """By round, p of a look after so many before it: of the weakest of the tests, corrected.

    `family`: the rounds that it and those before it test; those that it does not test tell nothing, so p = 1.
    """
    p = [_p(test, len(seen[round_number])) for round_number, test in weakest.items()]
    adjusted = holm([*p, *[1.0] * (family - len(p))])[: len(p)]
    return {
        round_number: min(1.0, cost(before) * p) for round_number, p in zip(weakest, adjusted, strict=True)
    }


def _strength(test: Evidence) -> float:
    """From -1, surely not, to 1, surely so: several tests hold as surely as the weakest of them does."""
    return {SUPPORTED: 1, REFUTED: -1, UNDECIDED: 0}[test.verdict] * (1 - test.p)


def _p(weakest: Evidence, tests: int) -> float:
    """Of several tests: each of them may refute, all have to support."""
    return min(1.0, tests * weakest.p) if weakest.verdict == REFUTED else weakest.p


def _verdict(
    round_number: int, density: float, of_looks: Sequence[tuple[float, Evidence]], next_level: float
) -> Verdict:
    """The verdict of the look whose corrected p is least, beside what the last look shows.

    `next_level`: what p has to be below at the next look, if it is not corrected.
    """
    p, decisive = min(of_looks, key=lambda one: one[0])
    _, latest = of_looks[-1]
    is_decided, hidden = p < LEVEL, latest.verdict == UNDECIDED
    return Verdict(
        round_number,
        density,
        decisive.verdict if is_decided else UNDECIDED,
        latest.effect,
        latest.unit,
        *interval(latest.values),
        *bootstrap(latest.values),
        p,
        len(latest.values),
        None if is_decided or hidden else replicates_needed(latest.values, latest.bound, next_level),
        hidden and not is_decided,
    )
