"""Findings of a run in sentences: the decided claims, and the means of ticket and controls."""

import math
from collections.abc import Container, Iterator, Mapping, Sequence

import pandas as pd

from ltr.analysis.claims import REFUTED, SUPPORTED, UNDECIDED
from ltr.analysis.registry import CLAIMS
from ltr.analysis.statistics import Estimate, difference_from_dense, paired_difference
from ltr.analysis.summary import by_round
from ltr.analysis.verdicts import Verdict
from ltr.config.schema import Experiment
from ltr.core.plural import is_or_are, number_of
from ltr.pruning.registry import REWINDINGS
from ltr.report.arms import styles
from ltr.report.formatting import listed, percent, plus_minus, replicates, spread
from ltr.store.chains import has_result

Verdicts = Mapping[str, Sequence[Verdict]]
"""Verdicts by the name of their claim."""


def headline(results: pd.DataFrame, verdicts: Verdicts, experiment: Experiment) -> str:
    """State the decided claims, or why there are none.

    Args:
        results: rows of the results table.
        verdicts: verdicts of the looks at the run.
        experiment: the requested experiment, from which the reason is found.
    """
    if results.empty:
        return "No dense network has been trained yet."
    if not has_result(results).any():
        return "No training has a result."
    if not verdicts:
        return _untested(results, experiment)
    sentences = [f"At {densities} % it {claims}." for densities, claims in _decided(verdicts, SUPPORTED)]
    sentences[:1] = [
        sentence.replace(" % it", " % of the weights the ticket", 1) for sentence in sentences[:1]
    ]
    sentences += [
        f"Refuted at {densities} %: that it {claims}." for densities, claims in _decided(verdicts, REFUTED)
    ]
    return " ".join([*sentences, _certainty(verdicts, bool(sentences))])


def untested_means(results: pd.DataFrame, without: Container[str] = ()) -> str:
    """Compare the mean accuracies of the sparsest ticket, the dense network and the controls, without a test.

    Differences are of test accuracy at early stop, paired by replicate. Lanes without a result are left out.
    Empty if nothing is pruned.

    Args:
        results: rows of the results table.
        without: controls that are left out, as those that are compared elsewhere.
    """
    results = results[has_result(results)]
    summary = by_round(results)
    tickets = summary[summary["arm"] == "ticket"]
    if 0 not in set(tickets["round"]) or tickets.iloc[-1]["round"] == 0:
        return ""
    dense, sparsest = tickets.iloc[0], tickets.iloc[-1]
    sentences = [_comparison(results, dense, sparsest), *_controls(results, sparsest["round"], without)]
    return " ".join([*sentences, f"({spread(summary['n'])}, not corrected; differences are paired.)"])


def _untested(results: pd.DataFrame, experiment: Experiment) -> str:
    """Say why no claim was tested."""
    if not experiment.rounds:
        dense = by_round(results).iloc[0]
        return f"The dense network is {_accuracy(dense)} accurate; nothing is pruned."
    rewinding = REWINDINGS.get(experiment.rewind.name)
    if rewinding is None or not rewinding.restores_weights:
        return f"No claim is tested: with rewind={experiment.rewind.name} tickets keep trained weights."
    return "No claim is tested before the run is finished."


def _decided(verdicts: Verdicts, outcome: str) -> Iterator[tuple[str, str]]:
    """Yield densities, and the claims whose verdict there is `outcome`."""
    claims: dict[str, list[str]] = {}
    for name, of_claim in verdicts.items():
        if densities := [percent(verdict.density) for verdict in of_claim if verdict.verdict == outcome]:
            claims.setdefault(listed(densities), []).append(CLAIMS[name].short)
    return ((densities, listed(phrases)) for densities, phrases in claims.items())


def _certainty(verdicts: Verdicts, is_any_decided: bool) -> str:
    """Say how many replicates tested the claims, and how many claims are undecided."""
    number = replicates([verdict.n for of_claim in verdicts.values() for verdict in of_claim])
    undecided = [
        name
        for name, of_claim in verdicts.items()
        if all(verdict.verdict == UNDECIDED for verdict in of_claim)
    ]
    if not is_any_decided:
        return f"Nothing is decided: {number} leave{'s' if number.startswith('1 ') else ''} every claim open."
    rest = (
        f"; {len(undecided)} of {number_of(len(verdicts), 'claim')} {is_or_are(len(undecided))} undecided "
        "throughout"
        if undecided
        else ""
    )
    return f"Each claim is tested at 5 % on its own, by {number}{rest}."


def _comparison(results: pd.DataFrame, dense: pd.Series, ticket: pd.Series) -> str:
    change = _change(difference_from_dense(results, "ticket", ticket["round"]))
    return (
        f"Means, without a test: at {percent(ticket['density'])} % of the weights the ticket is "
        f"{_accuracy(ticket)} accurate, the dense network {_accuracy(dense)}; the ticket {change}."
    )


def _controls(results: pd.DataFrame, round_number: int, without: Container[str]) -> list[str]:
    """Return a sentence that compares the other arms of a round with its ticket, if there are any."""
    changes = {
        f"{style.phrase}{_own_density(results, arm, round_number)}": paired_difference(
            results, arm, "ticket", round_number
        )
        for arm, style in styles(results.loc[results["round"] == round_number, "arm"]).items()
        if arm != "ticket" and arm not in without
    }
    if not changes:
        return []
    clauses = [f"{phrase} {_change(difference)}" for phrase, difference in changes.items()]
    return [f"Against the ticket, {', '.join(clauses)}."]


def _own_density(results: pd.DataFrame, arm: str, round_number: int) -> str:
    """Return the density of an arm in brackets if it differs from the ticket's."""
    densities = results[results["round"] == round_number].groupby("arm")["density"].mean()
    alike = math.isclose(densities[arm], densities["ticket"], rel_tol=0.01)
    return "" if alike else f" (at {percent(densities[arm])} %)"


def _accuracy(row: pd.Series) -> str:
    return f"{plus_minus(100 * row['accuracy'], 100 * row['accuracy_ci95'])} %"


def _change(difference: Estimate) -> str:
    """Describe a difference of accuracy in words."""
    if not difference.n:
        return "has no replicate in common"
    verb = "loses" if difference.mean < 0 else "gains"
    return f"{verb} {plus_minus(100 * abs(difference.mean), 100 * difference.half_width)} pp"
