"""Figures of a run: accuracy and early stop against density, as PNG and SVG.

In the manner of Frankle & Carbin 2019, figures 3 to 5. The same results give the same bytes: the
files carry no date, and the ids of the SVG no random salt.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ltr.analysis.summary import by_replicate, by_round
from ltr.core import atomic
from ltr.report.arms import DENSE, Style, styles
from ltr.report.axes import Limits, fit_heights, label_ends, ticks_of_density
from ltr.report.formatting import spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 3.25, 2.5
"""Inches; a paper's column is 3.25 wide."""

LINE = 0.18
"""Inches for the label of a curve."""

TITLE_LENGTH = 42
"""Characters of a title on one line."""

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "figure.titlesize": 8,
    "figure.titleweight": "bold",
    "axes.titlesize": 7,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "ltr",
}


class Measure(NamedTuple):
    """A measure of a summary as a figure shows it: its column, scale, axis label and possible values."""

    column: str
    scale: float
    label: str
    possible: Limits
    from_zero: bool


RIBBON = 0.16
"""Opacity of a ribbon: four of them overlap legibly."""

DODGE = 0.06
"""Width, as a fraction of the axis, over which arms of one pruned round stand side by side."""


def measures(results: pd.DataFrame) -> dict[str, Measure]:
    """Measures of a run, by the name of their figure; no early stop is later than the last step."""
    steps = float(results["steps"].max())
    return {
        "accuracy": Measure("accuracy", 100, "test accuracy at early stop (%)", Limits(0, 100), False),
        "early_stop": Measure("early_stop_step", 1, "early-stop step", Limits(0, steps), True),
    }


def draw(results: pd.DataFrame, title: str, folder: Path) -> list[Path]:
    """Draw the figures of a run into `folder`, replacing older ones.

    Args:
        results: rows of the results table; without rows nothing is drawn.
        title: stands above each figure.
        folder: made where it is missing.

    Returns:
        The files written: for each of `measures` a PNG of 300 dpi and an SVG whose text is text.
    """
    if results.empty:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    shown = measures(results)
    with in_style():
        return [path for name in shown for path in save(figure(results, shown[name], title), folder / name)]


def in_style() -> AbstractContextManager[None]:
    """The look of every figure, and of nothing outside."""
    import matplotlib.style

    return matplotlib.style.context(["default", STYLE])


def empty(label: str, title: str, note: str, labels: int = 0) -> tuple[Figure, Axes]:
    """A figure with its titles and without a curve; `label` is that of the y axis.

    It is high enough for so many labels of curves.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    height = max(HEIGHT, LINE * labels)
    figure = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(h_pad=0.02, w_pad=0.02))
    axes = figure.add_subplot(ylabel=label)
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.5)
    axes.set_title(note, color=DENSE.colour)
    if title:
        figure.suptitle(textwrap.fill(title, TITLE_LENGTH), x=0.02, ha="left")
    return figure, axes


def figure(results: pd.DataFrame, measure: Measure, title: str, with_replicates: bool = False) -> Figure:
    """A measure against density, a curve an arm; `with_replicates`, every replicate as a faint point."""
    summary = by_round(results)
    arms, points = styles(summary["arm"]), _points(summary, measure)
    bound = "; open: lower bound" if points["is_bound"].any() else ""
    figure, axes = empty(measure.label, title, f"{spread(summary['n'])}{bound}", labels=len(arms) + 1)
    ends = _dense(axes, points[summary["round"] == 0], measure.possible)
    if with_replicates:
        _replicates(axes, _points(by_replicate(results), measure), arms)
    for arm, style in arms.items():
        ends[style] = curve(axes, points[points["arm"] == arm], style, arm, measure.possible)
    ticks_of_density(axes, summary.loc[summary["arm"] == "ticket", "density"])
    fit_heights(axes, points["mean"], points["bar"], measure.possible, measure.from_zero)
    label_ends(axes, ends)
    return figure


def _points(rows: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Where rows of a summary, or of single replicates, are drawn: density, mean and half an interval.

    And whether the mean is a lower bound, which has no interval.
    """
    censored = rows["censored"] if "censored" in rows else pd.Series(0, rows.index)
    is_bound = (censored > 0) & (measure.column == "early_stop_step")
    bar = rows.get(f"{measure.column}_ci95", pd.Series(math.nan, rows.index))
    return pd.DataFrame(
        {
            "arm": rows["arm"],
            "density": _side_by_side(rows),
            "mean": measure.scale * rows[measure.column],
            "bar": (measure.scale * bar).where(~is_bound),
            "is_bound": is_bound,
        }
    )


def _side_by_side(rows: pd.DataFrame) -> pd.Series:
    """Densities; those of arms of one round are moved apart, so that their intervals can be told apart."""
    alone = [arm for arm in styles(rows["arm"]) if rows.loc[rows["arm"] == arm, "round"].nunique() == 1]
    span, gap = rows["density"].max() / rows["density"].min(), DODGE / max(1, len(alone) - 1)
    places = {arm: place - (len(alone) - 1) / 2 for place, arm in enumerate(alone)}
    return rows["density"] * span ** (-gap * rows["arm"].map(places).fillna(0))


def _replicates(axes: Axes, points: pd.DataFrame, arms: Mapping[str, Style]) -> None:
    """Each replicate as a faint point."""
    for arm, style in arms.items():
        of_arm = points[points["arm"] == arm]
        axes.plot(
            of_arm["density"],
            of_arm["mean"],
            "o",
            color=style.colour,
            alpha=0.3,
            markersize=1.6,
            markeredgewidth=0,
            gid=f"{arm}:replicates",
        )


def _dense(axes: Axes, dense: pd.DataFrame, possible: Limits) -> dict[Style, float]:
    """The dense network's mean as a dashed line across, in a band of its interval; where it is, if it is."""
    for mean, bar in dense[["mean", "bar"]].fillna({"bar": 0}).itertuples(index=False):
        low, high = np.clip([mean - bar, mean + bar], *possible)
        axes.axhspan(low, high, color=DENSE.colour, alpha=0.1, linewidth=0)
        axes.axhline(mean, color=DENSE.colour, linestyle=(0, (4, 2)), linewidth=0.8)
    return dict.fromkeys([DENSE] * len(dense), dense["mean"].max())


def curve(axes: Axes, points: pd.DataFrame, style: Style, name: str, possible: Limits) -> float:
    """Draw one arm: its means joined, in a ribbon of their intervals, and open where they are lower bounds.

    Args:
        axes: drawn into.
        points: in the order of the curve, with `density` (or another x), `mean`, `bar` (half an interval,
            NaN for none) and `is_bound`.
        style: colour and marker.
        name: what the ids of its groups in an SVG begin with, as `<name>:ribbon`.
        possible: where intervals are cut off.

    Returns:
        The last mean.
    """
    _intervals(axes, points, style, name, possible)
    axes.plot(points["density"], points["mean"], color=style.colour, linewidth=0.9, gid=f"{name}:line")
    for is_bound, some in points.groupby("is_bound"):
        axes.plot(
            some["density"],
            some["mean"],
            style.marker,
            color=style.colour,
            markerfacecolor="white" if is_bound else style.colour,
            markersize=3,
            markeredgewidth=0.7,
            clip_on=False,
            zorder=3,
            gid=f"{name}:{'bounds' if is_bound else 'means'}",
        )
    return float(points["mean"].iloc[-1])


def _intervals(axes: Axes, points: pd.DataFrame, style: Style, name: str, possible: Limits) -> None:
    """A ribbon over neighbouring intervals; a line upright for one that has no neighbour."""
    low, high = ((points["mean"] + sign * points["bar"]).clip(*possible) for sign in (-1, 1))
    there = points["bar"].notna()
    alone = there & ~there.shift(1, fill_value=False) & ~there.shift(-1, fill_value=False)
    if (there & ~alone).any():
        axes.fill_between(
            points["density"],
            low.mask(alone),
            high.mask(alone),
            color=style.colour,
            alpha=RIBBON,
            linewidth=0,
            gid=f"{name}:ribbon",
        )
    if alone.any():
        axes.vlines(
            points["density"][alone],
            low[alone],
            high[alone],
            style.colour,
            linewidth=0.7,
            gid=f"{name}:interval",
        )


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and as SVG; the two paths."""
    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    for path in paths:
        write(figure, path)
    return paths


UNDATED = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""By the suffix of a file that a figure may be written to: metadata that leave out what changes."""


def write(figure: Figure, file: Path) -> None:
    """Write a figure to a file of a suffix of `UNDATED`; pixels are 300 to the inch."""
    with atomic.replacing(file) as stream:
        figure.savefig(stream, format=file.suffix[1:], dpi=300, metadata=UNDATED[file.suffix])
