"""Early stop of a lane: the evaluated step of minimum validation loss, found afterwards.

Frankle & Carbin 2019, section 1: a proxy for how fast a network learns.
"""

import pandas as pd

from ltr.store.tables import LANE, RESULTS

_COLUMNS = [name for name in RESULTS.names if name not in ("flops", "early_bird_step")]


def early_stop(metrics: pd.DataFrame) -> pd.DataFrame:
    """The early stop of every lane.

    Args:
        metrics: rows of the metrics table, a row per evaluation, in any order; the test set was asked
            at the first step of minimum validation loss and at the last (see `ltr.engine.program.program`).

    Returns:
        A row per lane, in the order of `LANE`, with the columns of the results table but `flops`
        and `early_bird_step`: `early_stop_step`, the first step of minimum validation loss (a NaN
        is never the minimum); the test accuracy there, and at the last evaluated step, `steps`;
        `censored`, true where these two steps are one: the loss had not turned yet, so the early
        stop is there or later.
    """
    by_step = metrics.sort_values("step", kind="stable")
    last = _by_lane(by_step[::-1])
    best = _by_lane(by_step.sort_values("val_loss", kind="stable"))
    lanes = pd.DataFrame(
        {
            "density": last["density"],
            "early_stop_step": best["step"],
            "accuracy_at_early_stop": best["test_accuracy"],
            "final_accuracy": last["test_accuracy"],
            "censored": best["step"] == last["step"],
            "steps": last["step"],
        }
    )
    return lanes.reset_index()[_COLUMNS]


def _by_lane(evaluations: pd.DataFrame) -> pd.DataFrame:
    """The first evaluation of each lane, indexed by lane."""
    return evaluations.drop_duplicates(list(LANE)).set_index(list(LANE)).sort_index()
