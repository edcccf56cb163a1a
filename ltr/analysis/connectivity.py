"""Error barriers on the line between two trained networks (Frankle et al., 2020)."""

import pandas as pd

from ltr.analysis.statistics import ci95

STABLE = 0.02
"""Barrier, as a fraction, below which two networks are linearly connected and a ticket is stable."""


def barriers(connectivity: pd.DataFrame) -> pd.DataFrame:
    """Compute the barrier of every line: its highest error minus the mean of the errors at its ends.

    Lines to a network that diverged are left out.

    Returns:
        One row for each (kind, statistics, round, replicate) of the connectivity table, with the columns
        `density`, `rewind_step` and `barrier`, a fraction.
    """
    line = ["kind", "statistics", "round", "replicate"]
    lines = connectivity.dropna(subset="error").sort_values("alpha").groupby(line)
    ends = (lines["error"].first() + lines["error"].last()) / 2
    constants = lines[["density", "rewind_step"]].first()
    return constants.assign(barrier=lines["error"].max() - ends).reset_index()


def by_round(connectivity: pd.DataFrame) -> pd.DataFrame:
    """Average barriers over replicates.

    Returns:
        One row for each (kind, statistics, round), with the columns `density`, `rewind_step`, `n`
        replicates, mean `barrier`, half-width `barrier_ci95` (NaN for one replicate), and `stable`.
    """
    cells = barriers(connectivity).groupby(["kind", "statistics", "round"])
    mean = cells[["density", "rewind_step", "barrier"]].mean()
    averaged = mean.assign(n=cells.size(), barrier_ci95=cells["barrier"].agg(ci95))
    return averaged.assign(stable=averaged["barrier"] < STABLE).reset_index()
