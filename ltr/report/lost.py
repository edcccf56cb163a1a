"""Sentences about lanes without a result: those that diverged, and the chains that ended."""

from collections.abc import Iterable, Iterator

import pandas as pd

from ltr.config.schema import Experiment
from ltr.core.plural import number_of
from ltr.report.arms import in_order
from ltr.report.formatting import listed, ranges
from ltr.store.chains import End, ends
from ltr.store.tables import LANE, LaneId


def warning(results: pd.DataFrame, first_step: int) -> str:
    """Return a line about the lanes of a round that diverged, and what may help; empty without any.

    Args:
        results: rows of the results table of the round.
        first_step: step at which its training starts.
    """
    diverged = _diverged(results)
    if diverged.empty:
        return ""
    first = diverged.iloc[0]
    step = int(first["diverged_step"])
    which = f"{_lane(first)}: no longer finite at step {step}"
    if step == first_step:
        hint = "no step was taken, so the learning rate is not the cause: look at network, init and data"
    else:
        hint = (
            "the learning rate or an overflow may be the cause: try a lower optimizer.learning_rate, "
            "optimizer.warmup or optimizer.clip"
        )
    more = f" (and {number_of(len(diverged) - 1, 'other lane')} of the round)" if len(diverged) > 1 else ""
    going_on = "; the other lanes go on" if len(diverged) < len(results) else ""
    return f"{which}{more}{going_on}; {hint}"


def warning_of_emptied(tickets: pd.DataFrame) -> str:
    """Return a line about the tickets of a round that are not trained, from their rows of the results."""
    replicates, layers = tickets["replicate"], list(dict.fromkeys(tickets["emptied_layer"]))
    noun, whose = ("replicate", "its") if len(tickets) == 1 else ("replicates", "their")
    return (
        f"round {tickets['round'].iloc[0]}, {noun} {ranges(sorted(replicates))}: pruning emptied layer "
        f"{listed(layers)}, so {whose} rounds end here; a lower prune_rate or pruning=layerwise would go on"
    )


def sentences(results: pd.DataFrame, experiment: Experiment) -> Iterator[str]:
    """Yield a sentence about the lanes that diverged, and one about the chains that ended, if any did."""
    diverged = _diverged(results)
    if len(diverged):
        trainings = number_of(int(results["emptied_layer"].isna().sum()), "training")
        yield (
            f"{len(diverged)} of {trainings} diverged ({_by_arm(diverged)}): loss or weights were no longer "
            "finite. Means and claims leave them out, which may favour the arms that lost them."
        )
    if ended := ends(results, experiment):
        whose = "their" if len(ended) > 1 else "its"
        yield f"{_clauses(ended.values())}: {whose} later rounds are not trained."


def _diverged(results: pd.DataFrame) -> pd.DataFrame:
    return results[results["diverged_step"].notna()].sort_values(list(LANE), ignore_index=True)


def _by_arm(diverged: pd.DataFrame) -> str:
    """Return the number of lanes of each arm that diverged, and the first of them."""
    counts = diverged["arm"].value_counts()
    first = diverged.iloc[0]
    arms = ", ".join(f"{arm} {counts[arm]}" for arm in in_order(counts.index))
    return f"{arms}; the first is {_lane(first)}, at step {int(first['diverged_step'])}"


def _lane(row: pd.Series) -> LaneId:
    return LaneId(*row[list(LANE)])


def _clauses(ended: Iterable[End]) -> str:
    """Say which replicates end in which round and why; those of the same reason together."""
    reasons: dict[str, list[int]] = {}
    for end in sorted(ended):
        network = "the ticket" if end.round else "the dense network"
        reason = f"{network} diverged" if end.layer is None else f"pruning emptied layer {end.layer}"
        reasons.setdefault(f"in round {end.round}, where {reason}", []).append(end.replicate)
    clauses = [
        f"{'replicates' if others else 'replicate'} {ranges([first, *others])} "
        f"{'end' if others else 'ends'} {reason}"
        for reason, (first, *others) in reasons.items()
    ]
    text = "; ".join(clauses)
    return text[0].upper() + text[1:]
