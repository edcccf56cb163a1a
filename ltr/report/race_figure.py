"""Figures of the race of searches: accuracy against the cost of finding the mask, at each density."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ltr.analysis.search_race import MARGIN
from ltr.report.arms import DENSE, Style, styles
from ltr.report.axes import Limits, label_markers, set_cost_axis, set_height_limits
from ltr.report.figures import empty, in_style, save
from ltr.report.formatting import percent, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PERCENT = Limits(0, 100)


def draw(race: pd.DataFrame, title: str, folder: Path) -> list[Path]:
    """Draw the race of a run: a PNG and an SVG for each density.

    Args:
        race: table from `ltr.analysis.search_race.search_race`, of one run.
        title: title of each figure.
        folder: folder of the figures.
    """
    with in_style():
        return [
            path
            for round_number, rows in race.groupby("round", sort=False)
            if can_be_drawn(rows)
            for path in save(race_figure(rows, title), folder / f"race_round_{round_number}")
        ]


def drawn(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the methods with a result and a known cost."""
    return rows[rows["cost"].notna() & rows["n"].gt(0)]


def can_be_drawn(rows: pd.DataFrame) -> bool:
    """Return whether any method has a place on a logarithmic axis of costs."""
    return bool(drawn(rows)["cost"].gt(0).any())


def race_figure(rows: pd.DataFrame, title: str) -> Figure:
    """Draw the methods of a density that have a result and a known cost.

    Methods on the Pareto front, which nothing cheaper is as accurate as, are filled and joined. The dotted
    line is the accuracy of IMP less the margin.
    """
    rows = drawn(rows)
    arms = styles(rows["arm"])
    note = f"{percent(rows['density'].iloc[0])} % of the weights; {spread(rows['n'])}"
    figure, axes = empty("test accuracy at early stop (%)", title, note, labels=len(rows))
    means, bars = 100 * rows["accuracy"], 100 * rows["accuracy_ci95"]
    points = rows.assign(place=set_cost_axis(axes, rows["cost"]), mean=means, bar=bars)
    _imp_line(axes, points)
    front = points[points["on_front"]]
    axes.plot(
        front["place"], front["mean"], color=DENSE.colour, linewidth=0.7, drawstyle="steps-post", zorder=1
    )
    for row in points.to_dict("records"):
        _point(axes, row, arms[row["arm"]])
    set_height_limits(axes, means, bars, PERCENT)
    axes.set_xlabel("search cost (trainings of the dense network)")
    filled = {arms[arm] for arm in front["arm"]}
    label_markers(axes, {arms[row["arm"]]: row["mean"] for row in points.to_dict("records")}, filled)
    return figure


def _imp_line(axes: Axes, points: pd.DataFrame) -> None:
    for mean in points.loc[points["verdict"] == "", "mean"]:
        axes.axhline(mean - 100 * MARGIN, color=DENSE.colour, linestyle=":", linewidth=0.8)


def _point(axes: Axes, row: Mapping[Any, Any], style: Style) -> None:
    """Draw a method: its mean and interval."""
    place, mean, bar, arm = row["place"], row["mean"], row["bar"], row["arm"]
    if bar > 0:
        low, high = max(mean - bar, PERCENT.low), min(mean + bar, PERCENT.high)
        axes.vlines(place, low, high, style.colour, linewidth=0.6, gid=f"{arm}:interval")
    axes.plot(
        place,
        mean,
        style.marker,
        color=style.colour,
        markerfacecolor=style.colour if row["on_front"] else "white",
        markersize=3.5,
        markeredgewidth=0.7,
        zorder=3,
        gid=f"{arm}:means",
    )
