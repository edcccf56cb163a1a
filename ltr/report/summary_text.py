"""What a run found, in a few plain sentences: first what is decided, then what the means are."""

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from ltr.analysis.claims import REFUTED, SUPPORTED, UNDECIDED
from ltr.analysis.registry import CLAIMS
from ltr.analysis.statistics import Estimate, difference_from_dense, paired_difference
from ltr.analysis.summary import by_round
from ltr.analysis.verdicts import Verdict
from ltr.config.schema import Experiment
from ltr.pruning.registry import REWINDINGS
from ltr.report.arms import styles
from ltr.report.formatting import listed, percent, plus_minus, replicates, spread

Found = Mapping[str, Sequence[Verdict]]
"""Verdicts by the name of their claim."""


def headline(results: pd.DataFrame, found: Found, experiment: Experiment) -> str:
    """What the claims have decided, and nothing that they have not.

    Args:
        results: rows of the results table.
        found: what the looks at the run decide.
        experiment: says why nothing is claimed, where nothing is.
    """
    if results.empty:
        return "No dense network has been trained yet."
    if not found:
        return _unclaimed(results, experiment)
    sentences = [f"At {at} % it {said}." for at, said in _decided(found, SUPPORTED)]
    sentences[:1] = [one.replace(" % it", " % of the weights the ticket", 1) for one in sentences[:1]]
    sentences += [f"Refuted at {at} %: that it {said}." for at, said in _decided(found, REFUTED)]
    return " ".join([*sentences, _how_surely(found, bool(sentences))])


def by_the_means(results: pd.DataFrame) -> str:
    """How accurate the sparsest ticket is, and what the controls lose against it; nothing of it is tested.

    Differences are of test accuracy at early stop, paired by replicate. Empty where nothing is pruned.
    """
    summary = by_round(results)
    tickets = summary[summary["arm"] == "ticket"]
    if 0 not in set(tickets["round"]) or tickets.iloc[-1]["round"] == 0:
        return ""
    dense, sparsest = tickets.iloc[0], tickets.iloc[-1]
    sentences = [_comparison(results, dense, sparsest), *_controls(results, sparsest["round"])]
    return " ".join([*sentences, f"({spread(summary['n'])}, each taken alone; differences are paired.)"])


def _unclaimed(results: pd.DataFrame, experiment: Experiment) -> str:
    """Why nothing is claimed."""
    if not experiment.rounds:
        dense = by_round(results).iloc[0]
        return f"The dense network is {_accuracy(dense)} accurate; nothing is pruned."
    rewinding = REWINDINGS.get(experiment.rewind.name)
    if rewinding is None or not rewinding.restores_weights:
        return f"No claim is tested: with rewind={experiment.rewind.name} tickets keep trained weights."
    return "No claim is tested yet: that comes when the run is finished."


def _decided(found: Found, verdict: str) -> Iterator[tuple[str, str]]:
    """Densities, and the claims that have the verdict at them."""
    claims: dict[str, list[str]] = {}
    for name, of in found.items():
        if densities := [percent(one.density) for one in of if one.verdict == verdict]:
            claims.setdefault(listed(densities), []).append(CLAIMS[name].short)
    return ((densities, listed(said)) for densities, said in claims.items())


def _how_surely(found: Found, something: bool) -> str:
    """By how many replicates, and how much is still open."""
    number = replicates([one.n for of in found.values() for one in of])
    still_open = [name for name, of in found.items() if all(one.verdict == UNDECIDED for one in of)]
    if not something:
        return f"Nothing is decided: {number} leave{'s' if number.startswith('1 ') else ''} every claim open."
    rest = f"; {len(still_open)} of {len(found)} claims are undecided throughout" if still_open else ""
    return f"Each claim is tested at 5 % on its own, by {number}{rest}."


def _comparison(results: pd.DataFrame, dense: pd.Series, ticket: pd.Series) -> str:
    change = _change(difference_from_dense(results, "ticket", ticket["round"]))
    return (
        f"By the means, which decide nothing: at {percent(ticket['density'])} % of the weights the ticket is "
        f"{_accuracy(ticket)} accurate, the dense network {_accuracy(dense)}: it {change}."
    )


def _controls(results: pd.DataFrame, round_number: int) -> list[str]:
    """A sentence on the other arms of a round against its ticket; none where there are no others."""
    changes = {
        f"{style.phrase}{_elsewhere(results, arm, round_number)}": paired_difference(
            results, arm, "ticket", round_number
        )
        for arm, style in styles(results.loc[results["round"] == round_number, "arm"]).items()
        if arm != "ticket"
    }
    if not changes:
        return []
    clauses = [f"{phrase} {_change(difference)}" for phrase, difference in changes.items()]
    return [f"Against the ticket, {', '.join(clauses)}."]


def _elsewhere(results: pd.DataFrame, arm: str, round_number: int) -> str:
    """The density of an arm that came to one of its own."""
    densities = results[results["round"] == round_number].groupby("arm")["density"].mean()
    alike = math.isclose(densities[arm], densities["ticket"], rel_tol=0.01)
    return "" if alike else f" (at {percent(densities[arm])} %)"


def _accuracy(row: pd.Series) -> str:
    return f"{plus_minus(100 * row['accuracy'], 100 * row['accuracy_ci95'])} %"


def _change(difference: Estimate) -> str:
    """A difference of accuracy in words."""
    verb = "loses" if difference.mean < 0 else "gains"
    return f"{verb} {plus_minus(100 * abs(difference.mean), 100 * difference.half_width)} pp"
