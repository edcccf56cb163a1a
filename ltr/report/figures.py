"""Figures of a run: accuracy and early stop against density, as PNG and SVG.

The figures follow Frankle & Carbin (2019), figures 3 to 5. The same results give the same bytes: the files
have no date, and the ids in the SVG no random salt.
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
from ltr.report.axes import Limits, label_ends, set_density_axis, set_height_limits
from ltr.report.formatting import spread
from ltr.store.chains import has_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 3.25, 2.5
"""Size of a figure in inches; a paper's column is 3.25 wide."""

DPI = 300
"""Resolution of a PNG."""

LINE = 0.18
"""Height in inches of a curve's label."""

TITLE_LENGTH = 42
"""Largest number of characters on a line of a title."""

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
    """Measure of a summary in a figure.

    Attributes:
        column: column of the summary.
        scale: factor from the column's unit to the figure's.
        label: label of the y axis.
        possible: limits of the possible values, in the figure's unit.
        from_zero: whether the y axis starts at 0.
    """

    column: str
    scale: float
    label: str
    possible: Limits
    from_zero: bool


RIBBON = 0.16
"""Opacity of a ribbon; four overlapping ribbons stay legible."""

DODGE = 0.06
"""Width, as a fraction of the x axis, over which arms with a single round are spread."""


def measures(results: pd.DataFrame) -> dict[str, Measure]:
    """Return the measures of a run by the name of their figure; early stops are at most the last step."""
    steps = float(results["steps"].max())
    return {
        "accuracy": Measure("accuracy", 100, "test accuracy at early stop (%)", Limits(0, 100), False),
        "early_stop": Measure("early_stop_step", 1, "early-stop step", Limits(0, steps), True),
    }


def draw(results: pd.DataFrame, title: str, folder: Path) -> list[Path]:
    """Draw the figures of a run into `folder`, replacing older ones.

    Args:
        results: rows of the results table; without a result nothing is drawn.
        title: title of each figure.
        folder: created if missing.

    Returns:
        The files written: for each of `measures` a PNG of 300 dpi and an SVG whose text can be selected.
    """
    if not has_result(results).any():
        return []
    folder.mkdir(parents=True, exist_ok=True)
    shown = measures(results)
    with in_style():
        return [path for name in shown for path in save(figure(results, shown[name], title), folder / name)]


def in_style() -> AbstractContextManager[None]:
    """Apply the style of the figures inside a context only."""
    import matplotlib.style

    return matplotlib.style.context(["default", STYLE])


def empty(label: str, title: str, note: str, labels: int = 0) -> tuple[Figure, Axes]:
    """Return a figure with titles and without curves; `lay_out` gives it margins.

    Args:
        label: label of the y axis.
        title: title of the figure.
        note: smaller title of the axes.
        labels: number of curves that will be labelled; the figure is high enough for them.
    """
    from matplotlib.figure import Figure

    height = max(HEIGHT, LINE * labels)
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    axes = figure.add_subplot(ylabel=label)
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.5)
    axes.set_title(note, color=DENSE.colour)
    if title:
        figure.suptitle(textwrap.fill(title, TITLE_LENGTH), x=0.02, ha="left")
    return figure, axes


def figure(results: pd.DataFrame, measure: Measure, title: str, with_replicates: bool = False) -> Figure:
    """Draw a measure against density, a curve for each arm, optionally each replicate as a faint point.

    Lanes without a result are left out.
    """
    results = results[has_result(results)]
    summary = by_round(results)
    arms, points = styles(summary["arm"]), _points(summary, measure)
    bound = "; open: lower bound" if points["is_bound"].any() else ""
    figure, axes = empty(measure.label, title, f"{spread(summary['n'])}{bound}", labels=len(arms) + 1)
    ends = _dense(axes, points[summary["round"] == 0], measure.possible)
    if with_replicates:
        _replicates(axes, _points(by_replicate(results), measure), arms)
    for arm, style in arms.items():
        ends[style] = curve(axes, points[points["arm"] == arm], style, arm, measure.possible)
    set_density_axis(axes, summary.loc[summary["arm"] == "ticket", "density"])
    set_height_limits(axes, points["mean"], points["bar"], measure.possible, measure.from_zero)
    label_ends(axes, ends)
    return figure


def _points(rows: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Return the points to draw for rows of a summary, or of single replicates.

    Columns: `arm`; `density`; `mean`; `bar`, the half-width of the interval, NaN without one; `is_bound`,
    whether the mean is a lower bound, which has no interval.
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
    """Return densities; arms with a single round are moved apart to keep their intervals distinguishable."""
    alone = [arm for arm in styles(rows["arm"]) if rows.loc[rows["arm"] == arm, "round"].nunique() == 1]
    span, gap = rows["density"].max() / rows["density"].min(), DODGE / max(1, len(alone) - 1)
    offsets = {arm: position - (len(alone) - 1) / 2 for position, arm in enumerate(alone)}
    return rows["density"] * span ** (-gap * rows["arm"].map(offsets).fillna(0))


def _replicates(axes: Axes, points: pd.DataFrame, arms: Mapping[str, Style]) -> None:
    """Draw each replicate as a faint point."""
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
    """Draw the mean of the dense network as a dashed line in a band of its interval; return its height."""
    for mean, bar in dense[["mean", "bar"]].fillna({"bar": 0}).itertuples(index=False):
        low, high = np.clip([mean - bar, mean + bar], *possible)
        axes.axhspan(low, high, color=DENSE.colour, alpha=0.1, linewidth=0)
        axes.axhline(mean, color=DENSE.colour, linestyle=(0, (4, 2)), linewidth=0.8)
    return dict.fromkeys([DENSE] * len(dense), dense["mean"].max())


def curve(axes: Axes, points: pd.DataFrame, style: Style, name: str, possible: Limits) -> float:
    """Draw one arm: its means joined, a ribbon of their intervals, and open markers for lower bounds.

    Args:
        axes: axes to draw into.
        points: points in the order of the curve: `density` (or another x), `mean`, `bar` (half-width of the
            interval, NaN without one) and `is_bound`.
        style: colour and marker.
        name: prefix of the group ids in an SVG, as in `<name>:ribbon`.
        possible: limits to which intervals are clipped.

    Returns:
        The last mean, where the curve ends.
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
    """Draw a ribbon over neighbouring intervals, and a vertical line for an interval without neighbours."""
    low, high = ((points["mean"] + sign * points["bar"]).clip(*possible) for sign in (-1, 1))
    exists = points["bar"].notna()
    alone = exists & ~exists.shift(1, fill_value=False) & ~exists.shift(-1, fill_value=False)
    if (exists & ~alone).any():
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


def lay_out(figure: Figure) -> None:
    """Set the margins of a figure; a layout engine in the figure would draw it twice for each file."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    ConstrainedLayoutEngine(h_pad=0.02, w_pad=0.02).execute(figure)


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and as SVG; return the two paths."""
    return write(figure, stem.with_suffix(".png"), stem.with_suffix(".svg"))


UNDATED = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""Metadata without a date or version, by the suffix of a figure's file."""


def write(figure: Figure, *files: Path) -> list[Path]:
    """Lay a figure out and write it to files, whose suffixes are keys of `UNDATED`; return the files."""
    lay_out(figure)
    for file in files:
        with atomic.replacing(file) as stream:
            figure.savefig(stream, format=file.suffix[1:], dpi=DPI, metadata=UNDATED[file.suffix])
    return [*files]
