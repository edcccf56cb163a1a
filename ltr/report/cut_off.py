"""Sentence about networks through which no path of kept weights leads."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ltr.analysis.summary import by_round
from ltr.core.plural import number_of
from ltr.report.arms import in_order, styles
from ltr.report.formatting import percent


def sentence(results: pd.DataFrame) -> str:
    """Name the arms and densities with lanes whose inputs no path joins to an output; empty without any."""
    summary = by_round(results)
    cut_off = summary[summary["disconnected"] > 0]
    if cut_off.empty:
        return ""
    clauses = [
        f"{styles([arm])[arm].phrase} at "
        + ", ".join(_share(row) for row in cut_off[cut_off["arm"] == arm].to_dict("records"))
        for arm in in_order(cut_off["arm"])
    ]
    return (
        f"No path of kept weights leads from an input to an output of {'; '.join(clauses)}. Such a network "
        "gives every image the same answer, so its accuracy is that of a guess, and no finding."
    )


def _share(row: Mapping[Any, Any]) -> str:
    return f"{percent(row['density'])} % ({row['disconnected']} of {number_of(row['lanes'], 'lane')})"
