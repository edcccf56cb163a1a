"""Which tickets win and which match, by their means.

Winning (Frankle & Carbin 2019): at least as accurate as the dense network, after at most as many
steps. Matching (Frankle et al. 2020): within 0.2 percentage points of it, or better.
"""

import pandas as pd

MATCHING_TOLERANCE = 0.002
ROUNDING = 1e-6
"""Means of equal accuracies differ by less: accuracies are float32."""


def winning(summary: pd.DataFrame) -> pd.DataFrame:
    """The winning tickets of a summary by round, the sparsest last.

    A censored ticket stops at an unknown later step, and is never counted as winning.
    """
    tickets, dense = _tickets(summary), _dense(summary)
    accurate = tickets["accuracy"].ge(dense["accuracy"] - ROUNDING)
    fast = tickets["early_stop_step"].le(dense["early_stop_step"]) & (tickets["censored"] == 0)
    return tickets.loc[accurate & fast]


def matching(summary: pd.DataFrame) -> pd.DataFrame:
    """The matching tickets of a summary by round, the sparsest last."""
    tickets = _tickets(summary)
    return tickets.loc[tickets["accuracy"].ge(_dense(summary)["accuracy"] - MATCHING_TOLERANCE - ROUNDING)]


def _tickets(summary: pd.DataFrame) -> pd.DataFrame:
    return summary.loc[(summary["arm"] == "ticket") & (summary["round"] > 0)]


def _dense(summary: pd.DataFrame) -> pd.Series:
    return summary.loc[(summary["arm"] == "ticket") & (summary["round"] == 0)].iloc[0]
