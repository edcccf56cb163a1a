"""Lanes without a result, and the chains that they end.

A chain is the rounds of a replicate, each pruned from the ticket before. A ticket that diverged leaves no
weights to prune, and one in which pruning emptied a layer is not trained. Either ends its chain: later
rounds of its replicate are not trained. Controls that diverge end nothing.

A run with the tickets of another run has no chains. There a dense network that diverged alone ends its
replicate, since every round is compared with it.
"""

from typing import NamedTuple

import pandas as pd

from ltr.config.schema import Experiment


class End(NamedTuple):
    """End of the chain of a replicate.

    Attributes:
        replicate: the replicate.
        round: round of the ticket that ended it.
        step: step at which that ticket was found to have diverged; None if it was not trained.
        layer: layer that pruning emptied in it; None if it diverged.
    """

    replicate: int
    round: int
    step: int | None
    layer: str | None

    @property
    def last_round(self) -> int:
        """Last round in which lanes of the replicate are trained."""
        return self.round if self.layer is None else self.round - 1


def has_result(results: pd.DataFrame) -> pd.Series:
    """Return for each row of a results table whether the lane was trained to its end, with finite numbers."""
    return results["accuracy_at_early_stop"].notna()


def ends(results: pd.DataFrame, experiment: Experiment) -> dict[int, End]:
    """Return the ends of the chains that have ended, by replicate.

    Args:
        results: rows of the results table.
        experiment: says whether the run takes the tickets of another run.
    """
    lost = results[~has_result(results)]
    if lost.empty:
        return {}
    tickets = lost[lost["arm"] == "ticket"]
    if experiment.ticket is not None:
        tickets = tickets[tickets["round"] == 0]
    return {
        row["replicate"]: End(
            row["replicate"],
            row["round"],
            None if pd.isna(row["diverged_step"]) else int(row["diverged_step"]),
            None if pd.isna(row["emptied_layer"]) else row["emptied_layer"],
        )
        for row in tickets.sort_values("round", ascending=False).to_dict("records")
    }
