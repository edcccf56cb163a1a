"""Results of a run by round, as plain data for JSON."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ltr.analysis.summary import by_round, density
from ltr.report.arms import in_order
from ltr.report.formatting import without_nan

KEYS = {
    "density": "density",
    "accuracy": "accuracy",
    "ci95": "accuracy_ci95",
    "final_accuracy": "final_accuracy",
    "final_ci95": "final_accuracy_ci95",
    "early_stop_step": "early_stop_step",
    "early_stop_ci95": "early_stop_step_ci95",
    "early_bird_step": "early_bird_step",
    "dead_units": "dead_units",
    "censored": "censored",
    "lanes": "lanes",
    "diverged": "diverged",
    "disconnected": "disconnected",
    "n": "n",
}
"""Keys of an arm in a round, each with its column of a summary by round."""


def rounds(results: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each round `round`, `density`, and `arms`, each with `KEYS`; None for NaN."""
    return [_round(rows) for _, rows in by_round(results).groupby("round")]


def _round(rows: pd.DataFrame) -> dict[str, Any]:
    by_arm = {row["arm"]: row for row in rows.to_dict("records")}
    return {
        "round": int(rows["round"].iloc[0]),
        "density": density(rows),
        "arms": {arm: _arm(by_arm[arm]) for arm in in_order(by_arm)},
    }


def _arm(row: Mapping[Any, Any]) -> dict[str, int | float | None]:
    return without_nan({key: row[column] for key, column in KEYS.items()})
