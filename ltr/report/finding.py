"""What a run found, in one to three plain sentences computed from its results."""

import math

import pandas as pd

from ltr.analysis.statistics import Estimate, difference_from_dense, paired_difference
from ltr.analysis.summary import by_round
from ltr.analysis.winning import matching, winning
from ltr.report.arms import looks
from ltr.report.numbers import percent, plus_minus, spread


def finding(results: pd.DataFrame) -> str:
    """Whether a ticket wins, how accurate the sparsest one is, and what the controls lose against it.

    Args:
        results: rows of the results table, of any rounds, replicates and arms.

    Returns:
        Sentences on test accuracy at early stop. Differences are paired by replicate; one whose
        95 % confidence interval includes 0 may be chance.
    """
    summary = by_round(results)
    tickets = summary[summary["arm"] == "ticket"]
    if 0 not in set(tickets["round"]):
        return "No dense network has been trained yet."
    dense, sparsest = tickets.iloc[0], tickets.iloc[-1]
    note = spread(summary["n"])
    if sparsest["round"] == 0:
        return f"The dense network is {_accuracy(dense)} accurate; nothing is pruned yet ({note})."
    sentences = [_verdict(results, summary), _comparison(results, dense, sparsest)]
    sentences += _controls(results, sparsest["round"])
    return " ".join([*sentences, f"{note[0].upper()}{note[1:]}; differences are paired."])


def _verdict(results: pd.DataFrame, summary: pd.DataFrame) -> str:
    wins, matches = winning(summary), matching(summary)
    if len(wins):
        change = _change(difference_from_dense(results, "ticket", wins["round"].iloc[-1]))
        kept = percent(wins["density"].iloc[-1])
        return (
            f"By the means, a winning ticket: the sparsest keeps {kept} % of the weights, {change} on the "
            "dense network, and stops no later."
        )
    text = "By the means, no winning ticket: none is as accurate as the dense network and stops no later"
    if len(matches):
        kept = percent(matches["density"].iloc[-1])
        return f"{text}; the sparsest within 0.2 pp of it keeps {kept} % of the weights."
    return f"{text}, nor is any within 0.2 pp of it."


def _comparison(results: pd.DataFrame, dense: pd.Series, ticket: pd.Series) -> str:
    change = _change(difference_from_dense(results, "ticket", ticket["round"]))
    return (
        f"At {percent(ticket['density'])} % of the weights the ticket is {_accuracy(ticket)} accurate, the "
        f"dense network {_accuracy(dense)}: it {change}."
    )


def _controls(results: pd.DataFrame, round: int) -> list[str]:
    """A sentence on the other arms of a round against its ticket; none where there are no others."""
    changes = {
        f"{look.phrase}{_elsewhere(results, arm, round)}": paired_difference(results, arm, "ticket", round)
        for arm, look in looks(results.loc[results["round"] == round, "arm"]).items()
        if arm != "ticket"
    }
    if not changes:
        return []
    clauses = [f"{phrase} {_change(difference)}" for phrase, difference in changes.items()]
    return [f"Against the ticket, {', '.join(clauses)}."]


def _elsewhere(results: pd.DataFrame, arm: str, round: int) -> str:
    """The density of an arm that came to one of its own."""
    densities = results[results["round"] == round].groupby("arm")["density"].mean()
    alike = math.isclose(densities[arm], densities["ticket"], rel_tol=0.01)
    return "" if alike else f" (at {percent(densities[arm])} %)"


def _accuracy(row: pd.Series) -> str:
    return f"{plus_minus(100 * row['accuracy'], 100 * row['accuracy_ci95'])} %"


def _change(difference: Estimate) -> str:
    """A difference of accuracy in words, and whether it may be chance."""
    verb = "loses" if difference.mean < 0 else "gains"
    size = plus_minus(100 * abs(difference.mean), 100 * difference.half_width)
    doubtful = difference.n > 1 and not difference.is_clear
    return f"{verb} {size} pp" + (" (may be chance)" if doubtful else "")
