"""Early stop of a lane: the evaluated step of minimum validation loss, found after training.

It measures the speed of learning (Frankle & Carbin, 2019, section 1).
"""

import pandas as pd

from ltr.store.tables import LANE, RESULTS

_OTHERS = ("flops", "search_flops", "early_bird_step", "reached_outputs", "dead_units", "emptied_layer")
_COLUMNS = [name for name in RESULTS.names if name not in _OTHERS]


def early_stop(metrics: pd.DataFrame) -> pd.DataFrame:
    """Find the early stop of every lane.

    Args:
        metrics: rows of the metrics table, one for each evaluation, in any order. The test set was
            evaluated at the first step of minimum validation loss and at the last step (see
            `ltr.engine.program.program`).

    Returns:
        One row for each lane, in the order of `LANE`, with those columns of the results table that metrics
        tell. `early_stop_step` is the first step of minimum validation loss
        and `steps` the last evaluated step; both have their test accuracy. `censored` is true if the two
        steps are equal: the loss was still falling, so the early stop is there or later. A lane that
        diverged, whose last validation loss is NaN, has that step as `diverged_step`, and no early stop.
    """
    rows = metrics.sort_values([*LANE, "step"], kind="stable", ignore_index=True)
    last = rows.drop_duplicates(list(LANE), keep="last")
    best = rows.sort_values("val_loss", kind="stable").drop_duplicates(list(LANE)).sort_index()
    best = best.set_index(last.index)  # both are in the order of the lanes
    is_finite = last["val_loss"].notna()
    lanes = last.assign(
        early_stop_step=best["step"].where(is_finite),
        accuracy_at_early_stop=best["test_accuracy"].where(is_finite),
        final_accuracy=last["test_accuracy"],
        censored=is_finite & (best["step"] == last["step"]),
        steps=last["step"],
        diverged_step=last["step"].astype("Int32").mask(is_finite),
    )
    return lanes[_COLUMNS].reset_index(drop=True)
