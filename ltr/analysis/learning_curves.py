"""Learning curves: validation accuracy by step."""

import numpy as np
import pandas as pd

from ltr.analysis.statistics import ci95
from ltr.store.tables import LANE


def finite(metrics: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of the lanes that did not diverge: those whose every validation loss is known."""
    is_finite = metrics["val_loss"].notna()
    return metrics[is_finite.groupby([metrics[name] for name in LANE]).transform("all")]


def learning_curve(metrics: pd.DataFrame, round_number: int, arm: str) -> pd.DataFrame:
    """Average the validation accuracy of an arm in a round over draws and then over replicates.

    Lanes that diverged are left out.

    Returns:
        One row for each evaluated `step`: the mean `accuracy`, a fraction, and the half-width of its 95 %
        confidence interval, `accuracy_ci95`.
    """
    lanes = finite(metrics[(metrics["round"] == round_number) & (metrics["arm"] == arm)])
    lanes = lanes.astype({"val_accuracy": np.float64})
    replicates = lanes.groupby(["step", "replicate"])["val_accuracy"].mean().groupby("step")
    return pd.DataFrame({"accuracy": replicates.mean(), "accuracy_ci95": replicates.agg(ci95)}).reset_index()
