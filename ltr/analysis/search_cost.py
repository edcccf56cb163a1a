"""What it costs to find a ticket: the operations of all trainings up to the one that has it."""

import numpy as np
import pandas as pd

from ltr.analysis.statistics import ci95


def search_cost(results: pd.DataFrame) -> pd.DataFrame:
    """Accuracy against the operations spent, of the ticket and, where it was trained, of one-shot pruning.

    A ticket of round n took the trainings of rounds 0 to n; pruned at once, that of the dense network and
    its own.

    Returns:
        A row per `arm` and `round`: `flops`, `accuracy` (of the test set at early stop, a fraction) and
        `accuracy_ci95` (half-width of its 95 % interval), means over replicates, and `density`.
    """
    lanes = results.astype({"accuracy_at_early_stop": np.float64})
    tickets = lanes[lanes["arm"] == "ticket"].sort_values("round").copy()
    tickets["spent"] = tickets.groupby("replicate")["flops"].cumsum()
    dense = tickets[tickets["round"] == 0].set_index("replicate")["flops"]
    at_once = lanes[lanes["arm"] == "one_shot"].copy()
    at_once["spent"] = at_once["flops"] + at_once["replicate"].map(dense)
    means = pd.concat([tickets, at_once]).groupby(["arm", "round"])
    found = pd.DataFrame(
        {
            "flops": means["spent"].mean(),
            "accuracy": means["accuracy_at_early_stop"].mean(),
            "accuracy_ci95": means["accuracy_at_early_stop"].agg(ci95),
            "density": means["density"].mean(),
        }
    )
    return found.reset_index()
