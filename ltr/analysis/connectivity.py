"""Error barriers: how much worse than its ends a line between two networks is (Frankle et al., 2020)."""

import pandas as pd

from ltr.analysis.statistics import ci95

STABLE = 0.02
"""Two networks are linearly connected, a ticket is stable, below this barrier."""


def barriers(connectivity: pd.DataFrame) -> pd.DataFrame:
    """The barrier of every line: its highest error, less the mean of the errors at its ends.

    Returns:
        A row per (kind, statistics, round, replicate) of the connectivity table: `density`,
        `rewind_step`, `barrier`, a fraction.
    """
    line = ["kind", "statistics", "round", "replicate"]
    lines = connectivity.sort_values("alpha").groupby(line)
    ends = (lines["error"].first() + lines["error"].last()) / 2
    found = lines[["density", "rewind_step"]].first()
    return found.assign(barrier=lines["error"].max() - ends).reset_index()


def by_round(connectivity: pd.DataFrame) -> pd.DataFrame:
    """Barriers averaged over replicates.

    Returns:
        A row per (kind, statistics, round): `density`, `rewind_step`, `n` replicates, mean `barrier` and
        `barrier_ci95` (NaN for one replicate), and whether it is `stable`.
    """
    cells = barriers(connectivity).groupby(["kind", "statistics", "round"])
    mean = cells[["density", "rewind_step", "barrier"]].mean()
    found = mean.assign(n=cells.size(), barrier_ci95=cells["barrier"].agg(ci95))
    return found.assign(stable=found["barrier"] < STABLE).reset_index()
