"""Cost of finding a ticket: the floating-point operations of all trainings that it needs."""

import numpy as np
import pandas as pd

from ltr.analysis.statistics import ci95
from ltr.store.chains import has_result


def search_cost(results: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy and operations spent, of the ticket and, if it was trained, of one-shot pruning.

    A ticket of round n needs the trainings of rounds 0 to n. A network pruned in one shot needs the
    training of the dense network and its own.

    Returns:
        One row for each `arm` and `round`, with means over replicates: `flops`, `accuracy` (on the test
        set at early stop, a fraction), `accuracy_ci95` (half-width of its 95 % interval) and `density`.
        Lanes without a result are left out.
    """
    lanes = results[has_result(results)].astype({"accuracy_at_early_stop": np.float64})
    tickets = lanes[lanes["arm"] == "ticket"].sort_values("round").copy()
    tickets["spent"] = tickets.groupby("replicate")["flops"].cumsum()
    dense = tickets[tickets["round"] == 0].set_index("replicate")["flops"]
    one_shot = lanes[lanes["arm"] == "one_shot"].copy()
    one_shot["spent"] = one_shot["flops"] + one_shot["replicate"].map(dense)
    means = pd.concat([tickets, one_shot]).groupby(["arm", "round"])
    costs = pd.DataFrame(
        {
            "flops": means["spent"].mean(),
            "accuracy": means["accuracy_at_early_stop"].mean(),
            "accuracy_ci95": means["accuracy_at_early_stop"].agg(ci95),
            "density": means["density"].mean(),
        }
    )
    return costs.reset_index()
