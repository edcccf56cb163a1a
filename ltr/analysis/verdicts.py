"""Verdicts on the claims of a run, for each round, from all looks at it.

The mean of a claim's evidence (`ltr.analysis.claims`) is tested against the claim's bound by Student's
two-sided t-test. P-values are corrected over the rounds where the claim is tested (Holm, 1979). A claim is

    supported  if the mean lies significantly above the bound;
    refuted    if it lies significantly below the bound;
    undecided  otherwise.

Sequential testing. Each further look, after more replicates or in more rounds, is another chance of a wrong
verdict. So every look at a claim spends a part of the claim's error rate of 5 %: p-values are multiplied by
2 at the first look, by 5 at the second, then by 10, 20, 50, 100 and so on. A decision is final: the verdict
is that of the look with the smallest corrected p-value.

A look at fewer than three replicates decides nothing, so it does not count. Two replicates do hint at when to
look next, which alone would raise the error rate to 6 %. After them the first look that counts multiplies by
3 instead of 2. One replicate has no spread and hints at nothing.

Error rate. If the mean equals the bound in every round, a claim is wrongly decided in some round, at some
look, in at most 5 runs of 100: supported in half of them, refuted in the other half. This holds for any
rule of when to look again. With a single look it is 2 or 3 runs of 100. A ninth of the error rate is never
spent. It is a reserve for users who choose the number of replicates by the results: a t-test then errs
more often. Claims are not corrected for one another: if nothing differs at all, about one run in six
decides at least one of the nine claims.

Rounds. They are chosen before the first look: the fewer there are, the more power each has. A look is
corrected over every round that it or an earlier look tests. Otherwise one could, after a look, test only the
rounds that have shown large effects.

Lost replicates. A replicate in which a compared lane diverged, or whose chain ended before the round, is
left out, counted, and named beside the verdict. Lanes that are lost whatever their results would have been
leave the error rate as it is; a loss that depends on them may shift the mean.

Power. In a single round, the first look detects an effect of one standard deviation between replicates with
probability 0.26 from 5 replicates and 0.68 from 10, and an effect of two with 0.78 from 5.
"""

import itertools
import math
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltr.analysis.claims import REFUTED, SUPPORTED, UNDECIDED, Evidence, by_replicate
from ltr.analysis.inference import FEWEST, LEVEL, bootstrap, holm, interval, replicates_needed
from ltr.analysis.registry import CLAIMS
from ltr.config import schema
from ltr.pruning.registry import REWINDINGS
from ltr.store import chains
from ltr.store.looks import Look

NEAR = 1.25
"""Largest factor between a density in `claims.densities` and that of the round tested for it."""


HINTED = 3
"""Factor of the p-values of the first look that counts, after one at two replicates."""


class Verdict(NamedTuple):
    """Verdict on a claim in a round.

    Attributes:
        round: round of the ticket.
        density: density of the ticket, 0 to 1.
        verdict: "supported", "refuted" or "undecided".
        effect: mean difference at the last look; for a claim with several tests, that of the weakest.
        unit: unit of the effect, "fraction" or "log2 steps".
        low, high: 95 % confidence interval of the effect by Student's t, not corrected.
        bootstrap_low, bootstrap_high: 95 % bootstrap interval of the effect.
        p: smallest p-value of any look, corrected over rounds and looks.
        n: number of replicates with both lanes.
        needed: number of replicates that would probably decide the claim at the next look (see
            `replicates_needed`); None if it is decided, if censoring forbids the verdict, or if unknown.
        hidden: whether censoring forbids the verdict, whatever the number of replicates.
        lost: number of replicates left out, as a lane that the claim compares diverged or its chain ended.
        disconnected: number of the n replicates in which no path of kept weights leads from an input to an
            output of a lane that the claim compares.
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
    lost: int = 0
    disconnected: int = 0


def look(results: pd.DataFrame, experiment: schema.Experiment) -> Look | None:
    """Return the look that a finished run allows, or None if no claim can be tested.

    Claims are about tickets that start again from early weights, as the paper's do. With any other
    rewinding no claim is tested.

    Args:
        results: results table of all trained replicates, even if the experiment requests fewer. Otherwise
            users could choose the number of replicates by its verdict.
        experiment: the densities at which claims are tested, the last round, and the arms.
    """
    rounds = tested_rounds(results, experiment)
    about = {"ticket", *(claim.arm for claim in CLAIMS.values())}
    draws = {arm: experiment.draws(arm) for arm in experiment.arms if arm in about}
    candidate = Look(_complete(results, experiment, rounds, draws), draws, rounds, list(CLAIMS))
    lanes = by_replicate(_seen(results, candidate))
    claims = [name for name in CLAIMS if _evidence(lanes, name, rounds)]
    rewinding = REWINDINGS.get(experiment.rewind.name)
    if not claims or rewinding is None or not rewinding.restores_weights:
        return None
    return candidate._replace(claims=claims)


def with_look(before: Sequence[Look], new: Look | None) -> list[Look]:
    """Append a new look, with the claims on which it sees more data than every look before it."""
    if new is None:
        return [*before]
    claims = [name for name in new.claims if not any(_covers(old, new, name) for old in before)]
    return [*before, new._replace(claims=claims)] if claims else [*before]


def verdicts(results: pd.DataFrame, looks: Sequence[Look]) -> dict[str, list[Verdict]]:
    """Return the verdicts on each claim by round; claims without a look are left out."""
    densities = results[results["arm"] == "ticket"].groupby("round")["density"].mean()
    lanes = [by_replicate(_seen(results, look)) for look in looks]
    by_claim = {}
    for name in CLAIMS:
        at_claim = [
            (look, _evidence(table, name, look.rounds))
            for table, look in zip(lanes, looks, strict=True)
            if name in look.claims
        ]
        if any(evidence for _, evidence in at_claim):
            by_claim[name] = _verdicts(at_claim, densities)
    return by_claim


def deciding(looks: Sequence[Look]) -> list[Look]:
    """Return the looks that can decide something, and therefore count: those at enough replicates to test."""
    return [look for look in looks if look.replicates >= FEWEST]


def tested_rounds(results: pd.DataFrame, experiment: schema.Experiment) -> list[int]:
    """Return the requested rounds in which claims are tested, all of which train the controls."""
    compared = experiment.control_rounds or range(1, experiment.rounds + 1)
    is_compared = results["round"].between(1, experiment.rounds) & results["round"].isin([*compared])
    tickets = results[(results["arm"] == "ticket") & is_compared]
    return tested(tickets.groupby("round")["density"].mean(), experiment.claims.densities)


def tested(densities: pd.Series, requested: Sequence[float]) -> list[int]:
    """Return the nearest round to each requested density, within `NEAR`; every round if there is none.

    Args:
        densities: density of each round, indexed by round.
        requested: densities, 0 to 1.
    """
    distances = [
        np.abs(np.log(densities.to_numpy(np.float64)) - math.log(density))
        for density in requested
        if len(densities)
    ]
    near = {int(distance.argmin()) for distance in distances if distance.min() <= math.log(NEAR)}
    return [int(densities.index[position]) for position in sorted(near) or range(len(densities))]


def cost(looks: int) -> int:
    """Factor of the p-values of a look, given the number of looks before it that count."""
    return (2, 5, 10)[looks % 3] * 10 ** (looks // 3)


def price(before: Sequence[Look]) -> int:
    """Factor of the p-values of a look at a claim, given all looks at it before."""
    counted = len(deciding(before))
    return HINTED if not counted and any(look.replicates == FEWEST - 1 for look in before) else cost(counted)


def within(rounds: Container[int], by_claim: Mapping[str, Sequence[Verdict]]) -> dict[str, list[Verdict]]:
    """Select the verdicts of some rounds."""
    selected = {
        name: [verdict for verdict in verdicts if verdict.round in rounds]
        for name, verdicts in by_claim.items()
    }
    return {name: verdicts for name, verdicts in selected.items() if verdicts}


def requested_verdicts(
    experiment: schema.Experiment, by_claim: Mapping[str, Sequence[Verdict]]
) -> dict[str, list[Verdict]]:
    """Select the verdicts on the rounds and arms that an experiment requests."""
    trained = {name: verdicts for name, verdicts in by_claim.items() if CLAIMS[name].arm in experiment.arms}
    return within(range(experiment.rounds + 1), trained)


def undecided(by_claim: Mapping[str, Sequence[Verdict]], decide: Sequence[str]) -> list[str]:
    """Return the claims of `decide` that are undecided in some round where they are tested."""
    return [
        name for name in decide if any(verdict.verdict == UNDECIDED for verdict in by_claim.get(name, []))
    ]


def sparsest(matching: Sequence[Verdict]) -> Verdict | None:
    """Return the verdict of smallest density that supports `matches`; None if there is none."""
    supported = [verdict for verdict in matching if verdict.verdict == SUPPORTED]
    return min(supported, key=lambda verdict: verdict.density, default=None)


def _complete(
    results: pd.DataFrame, experiment: schema.Experiment, rounds: Sequence[int], draws: Mapping[str, int]
) -> int:
    """Count the replicates, from the first on, that have all lanes of some arms in round 0 and some rounds.

    Those whose chain ended have all that they will ever have. A ticket that was not trained is none of these.
    """
    is_requested = _is_drawn(results, draws) & results["round"].isin([0, *rounds])
    requested = results[is_requested & results["emptied_layer"].isna()]
    counts, ended = requested["replicate"].value_counts(), chains.ends(results, experiment)

    def trained(replicate: int) -> int:
        reached = [n for n in rounds if replicate not in ended or n <= ended[replicate].last_round]
        return 1 + len(reached) * sum(draws.values())

    return next(n for n in itertools.count() if counts.get(n, 0) < trained(n))


def _covers(old: Look, new: Look, claim: str) -> bool:
    """Return whether the old look saw all data on a claim that the new look sees."""
    arms = {"ticket", CLAIMS[claim].arm}
    return (
        claim in old.claims
        and old.replicates >= new.replicates
        and set(new.rounds) <= set(old.rounds)
        and all(old.draws.get(arm, 0) >= new.draws.get(arm, 0) for arm in arms)
    )


def _seen(results: pd.DataFrame, look: Look) -> pd.DataFrame:
    """Select the rows of a results table that a look used."""
    return results[_is_drawn(results, look.draws) & (results["replicate"] < look.replicates)]


def _is_drawn(results: pd.DataFrame, draws: Mapping[str, int]) -> pd.Series:
    """Return for each row whether it belongs to the first `draws[arm]` draws of its arm."""
    return results["draw"] < results["arm"].map(draws).astype(np.float64)


def _evidence(lanes: pd.DataFrame, claim: str, rounds: Sequence[int]) -> dict[int, Sequence[Evidence]]:
    """Return the evidence for a claim by round; rounds without any are left out."""
    by_round = {round_number: CLAIMS[claim].tests(lanes, round_number) for round_number in rounds}
    return {
        round_number: tests
        for round_number, tests in by_round.items()
        if tests and all(len(test.values) + test.lost for test in tests)
    }


def _verdicts(
    looks: Sequence[tuple[Look, Mapping[int, Sequence[Evidence]]]], densities: pd.Series
) -> list[Verdict]:
    """Return the verdicts on a claim by round, given the looks at it and their evidence by round."""
    by_look = [evidence for _, evidence in looks]
    prices = [price([look for look, _ in looks[:number]]) for number in range(len(looks) + 1)]
    weakest = [
        {round_number: min(tests, key=_strength) for round_number, tests in evidence.items()}
        for evidence in by_look
    ]
    families = [
        {round_number for evidence in by_look[: number + 1] for round_number in evidence}
        for number in range(len(looks))
    ]
    corrected = [
        _corrected(evidence, tests, len(family), factor)
        for evidence, tests, family, factor in zip(by_look, weakest, families, prices[:-1], strict=True)
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
            LEVEL / len(families[-1]) / prices[-1],
        )
        for round_number in sorted(families[-1])
    ]


def _corrected(
    evidence: Mapping[int, Sequence[Evidence]], weakest: Mapping[int, Evidence], family: int, factor: int
) -> dict[int, float]:
    """Return the corrected p-value of a look for each round that it tests.

    Args:
        evidence: all tests of each round.
        weakest: the weakest test of each round.
        family: number of rounds that this look or an earlier one tests. A round that this look does not
            test enters the correction with a p-value of 1.
        factor: the look's own (see `price`).
    """
    p_values = [_p_value(test, len(evidence[round_number])) for round_number, test in weakest.items()]
    adjusted = holm([*p_values, *[1.0] * (family - len(p_values))])[: len(p_values)]
    return {round_number: min(1.0, factor * p) for round_number, p in zip(weakest, adjusted, strict=True)}


def _strength(test: Evidence) -> float:
    """Return the strength of a test, from -1 (surely refuted) to 1 (surely supported)."""
    return {SUPPORTED: 1, REFUTED: -1, UNDECIDED: 0}[test.verdict] * (1 - test.p)


def _p_value(weakest: Evidence, tests: int) -> float:
    """P-value of a claim with several tests: all have to support it, one may refute it (Bonferroni)."""
    return min(1.0, tests * weakest.p) if weakest.verdict == REFUTED else weakest.p


def _verdict(
    round_number: int, density: float, looks: Sequence[tuple[float, Evidence]], next_level: float
) -> Verdict:
    """Return the verdict of the look with the smallest corrected p-value, and the effect at the last look.

    Args:
        round_number: round of the ticket.
        density: density of the ticket.
        looks: corrected p-value and weakest test of each look.
        next_level: significance level of the next look, for a p-value that is not corrected.
    """
    p, decisive = min(looks, key=lambda look: look[0])
    _, latest = looks[-1]
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
        None if is_decided or hidden else _needed(latest, next_level),
        hidden and not is_decided,
        latest.lost,
        latest.disconnected,
    )


def _needed(evidence: Evidence, level: float) -> int | None:
    """Return the replicates that would probably decide, if as large a share of them is lost."""
    needed = replicates_needed(evidence.values, evidence.bound, level)
    if needed is None:
        return None
    return math.ceil(needed * (len(evidence.values) + evidence.lost) / len(evidence.values))
