"""Results of `ltr connect`: error barriers by round as a table, a sentence and a figure."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ltr.analysis.connectivity import STABLE
from ltr.report import text_table
from ltr.report.arms import DENSE, Style
from ltr.report.axes import Limits, label_ends, set_density_axis, set_height_limits
from ltr.report.figures import curve, empty, in_style, save
from ltr.report.formatting import percent, plus_minus, spread

POSSIBLE = Limits(0, 100)
"""Possible barriers in pp. The maximum over the line includes its ends, so no barrier is negative."""

STYLES = {
    "orders": Style("data orders", "two data orders", "#0072B2", "o"),
    "rounds": Style("next round", "a round and the next", "#D55E00", "s"),
}
THRESHOLD = Style("stable below", "the threshold of stability", DENSE.colour, "")


def table(summary: pd.DataFrame) -> str:
    """Return a table of error barriers in pp by round, from `analysis.connectivity.by_round`."""
    rows = summary.to_dict("records")
    cells = {
        (row["round"], row["kind"]): plus_minus(100 * row["barrier"], 100 * row["barrier_ci95"])
        for row in rows
    }
    columns = [
        text_table.Column("round", is_number=True),
        text_table.Column("density", is_number=True),
        text_table.Column("data orders", width=16),
        text_table.Column("next round"),
    ]
    lines = (
        [
            f"{row['round']}",
            f"{100 * row['density']:.2f} %",
            *(cells.get((row["round"], kind), "") for kind in ("orders", "rounds")),
        ]
        for row in rows
        if row["kind"] == "orders"
    )
    heading = (
        f"Error barrier in pp ({spread(summary['n'])}; stable below {100 * STABLE:.0f}){_between(summary)}"
    )
    return f"{heading}\n{text_table.table(columns, lines)}"


def _between(summary: pd.DataFrame) -> str:
    """Name the batch-norm statistics of the networks between the ends, if there are any."""
    (statistics,) = set(summary["statistics"])
    return "" if statistics == "none" else f",\nbatch-norm statistics {statistics}"


def sentence(summary: pd.DataFrame) -> str:
    """Say which tickets are stable to the order of the data."""
    orders = summary[summary["kind"] == "orders"]
    unstable = orders.loc[~orders["stable"], "density"]
    rewind_step = int(orders["rewind_step"].iloc[0])
    start = f"Trained from step {rewind_step}"
    if unstable.empty:
        return f"{start}, every ticket is stable to the order of the data, judged by the means."
    if len(unstable) == len(orders):
        return f"{start}, no ticket is stable to the order of the data, judged by the means."
    kept = ", ".join(percent(density) for density in unstable)
    return (
        f"{start}, the tickets of {kept} % of the weights are not stable to the order of the data, "
        "judged by the means."
    )


def draw(summary: pd.DataFrame, title: str, folder: Path) -> list[Path]:
    """Draw the barriers against density into `folder`, as PNG and SVG; return the files."""
    points = pd.DataFrame(
        {
            "kind": summary["kind"],
            "density": summary["density"],
            "mean": 100 * summary["barrier"],
            "bar": 100 * summary["barrier_ci95"],
            "is_bound": False,
        }
    )
    with in_style():
        figure, axes = empty("error barrier (pp)", title + _between(summary), spread(summary["n"]))
        axes.axhline(100 * STABLE, color=THRESHOLD.colour, linestyle=(0, (4, 2)), linewidth=0.8)
        ends = {
            style: curve(axes, points[points["kind"] == kind], style, kind, POSSIBLE)
            for kind, style in STYLES.items()
            if kind in set(points["kind"])
        }
        set_density_axis(axes, summary["density"])
        set_height_limits(axes, points["mean"], points["bar"], POSSIBLE, from_zero=True)
        if axes.get_ylim()[1] > 100 * STABLE:
            ends[THRESHOLD] = 100 * STABLE
        label_ends(axes, ends)
        folder.mkdir(parents=True, exist_ok=True)
        return save(figure, folder / "connectivity")
