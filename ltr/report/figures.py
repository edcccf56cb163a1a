"""Figures of a run: accuracy and early stop against density, as PNG and SVG.

In the manner of Frankle & Carbin 2019, figures 3 to 5. The same results give the same bytes: the
files carry no date, and the ids of the SVG no random salt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ltr.analysis.summary import by_replicate, by_round
from ltr.report.arms import DENSE, Look, looks
from ltr.report.axes import fit_heights, label_ends, ticks_of_density
from ltr.report.numbers import spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 3.5, 2.6
"""Inches; a paper's column is 3.5 wide."""

LINE = 0.18
"""Inches for the label of a curve."""

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "ltr",
}

MEASURES = {
    "accuracy": ("accuracy", 100, "test accuracy at early stop (%)"),
    "early_stop": ("early_stop_step", 1, "early-stop step"),
}
"""For each figure: the measure of a summary, its scale, and the label of its axis."""

DODGE = 1.014
"""Ratio of the densities at which neighbouring arms of a round are drawn, to keep their bars apart."""

SPREAD = 1.06
"""The ratio of those of the first and the last arm at most."""


def draw(results: pd.DataFrame, title: str, folder: Path) -> list[Path]:
    """Draw the figures of a run into `folder`, replacing older ones.

    Args:
        results: rows of the results table; without rows nothing is drawn.
        title: stands above each figure.
        folder: made where it is missing.

    Returns:
        The files written: for each of `MEASURES` a PNG of 300 dpi and an SVG whose text is text.
    """
    if results.empty:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    summary = by_round(results)
    with in_style():
        return [path for name in MEASURES for path in save(figure(summary, name, title), folder / name)]


def in_style() -> AbstractContextManager[None]:
    """The look of every figure, and of nothing outside."""
    import matplotlib.style

    return matplotlib.style.context(["default", STYLE])


def empty(label: str, title: str, note: str, labels: int = 0) -> tuple[Figure, Axes]:
    """A figure with its titles and without a curve; `label` is that of the y axis.

    It is high enough for so many labels of curves.
    """
    from matplotlib.figure import Figure

    height = max(HEIGHT, LINE * labels)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot(ylabel=label)
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.5)
    axes.set_title(title, loc="left", y=1.085, pad=0, fontweight="bold")
    axes.text(0, 1.02, note, transform=axes.transAxes, color=DENSE.colour)
    return figure, axes


def figure(summary: pd.DataFrame, name: str, title: str, results: pd.DataFrame | None = None) -> Figure:
    """One of `MEASURES` against density: a summary by round, and every replicate of `results`, if given."""
    points, arms = _points(summary, summary, name), looks(summary["arm"])
    bound = "; open marker: a lower bound" if points["is_bound"].any() else ""
    note = f"{spread(summary['n'])}{bound}"
    figure, axes = empty(MEASURES[name][2], title, note, labels=len(arms) + 1)
    ends = _dense(axes, points[summary["round"] == 0])
    if results is not None:
        _replicates(axes, _points(by_replicate(results), summary, name), arms)
    ends |= {look: curve(axes, points[points["arm"] == arm], look, arm) for arm, look in arms.items()}
    ticks_of_density(axes, summary.loc[summary["arm"] == "ticket", "density"])
    fit_heights(axes, points["mean"], points["bar"])
    label_ends(axes, ends)
    return figure


def _points(rows: pd.DataFrame, summary: pd.DataFrame, name: str) -> pd.DataFrame:
    """What a figure shows of rows, those of the summary or others of its arms: where, a mean and error bar.

    And whether it is a bound.
    """
    measure, scale, _ = MEASURES[name]
    arms = list(looks(summary["arm"]))
    places = (len(arms) - 1) / 2 - rows["arm"].map(arms.index)
    dodge = min(DODGE, SPREAD ** (1 / max(1, len(arms) - 1)))
    censored = rows["censored"] if "censored" in rows else pd.Series(0, rows.index)
    is_bound = (censored > 0) & (measure == "early_stop_step")
    bar = rows.get(f"{measure}_ci95", pd.Series(math.nan, rows.index))
    return pd.DataFrame(
        {
            "arm": rows["arm"],
            "density": rows["density"] * dodge ** places.where(rows["round"] > 0, 0),
            "mean": scale * rows[measure],
            "bar": (scale * bar).where(~is_bound),
            "is_bound": is_bound,
        }
    )


def _replicates(axes: Axes, points: pd.DataFrame, arms: Mapping[str, Look]) -> None:
    """Each replicate as a faint point."""
    for arm, look in arms.items():
        of_arm = points[points["arm"] == arm]
        axes.plot(
            of_arm["density"],
            of_arm["mean"],
            "o",
            color=look.colour,
            alpha=0.3,
            markersize=1.6,
            markeredgewidth=0,
            gid=f"{arm}:replicates",
        )


def _dense(axes: Axes, dense: pd.DataFrame) -> dict[Look, float]:
    """The dense network's mean as a dashed line across, in a band of its interval; where it is, if it is."""
    for mean, bar in dense[["mean", "bar"]].fillna({"bar": 0}).itertuples(index=False):
        axes.axhspan(mean - bar, mean + bar, color=DENSE.colour, alpha=0.13, linewidth=0)
        axes.axhline(mean, color=DENSE.colour, linestyle=(0, (4, 2)), linewidth=0.8)
    return dict.fromkeys([DENSE] * len(dense), dense["mean"].max())


def curve(axes: Axes, curve: pd.DataFrame, look: Look, name: str) -> float:
    """One arm: its means joined, with error bars, open where they are lower bounds; the last mean.

    What is drawn is grouped in an SVG under ids that begin with its name.
    """
    line, caps, bars = axes.errorbar(
        curve["density"],
        curve["mean"],
        curve["bar"],
        color=look.colour,
        linewidth=0.9,
        elinewidth=0.6,
        capsize=1.2,
        capthick=0.6,
    )
    for number, artist in enumerate((line, *caps, *bars)):
        artist.set_gid(f"{name}:line:{number}")
    for is_bound, some in curve.groupby("is_bound"):
        axes.plot(
            some["density"],
            some["mean"],
            look.marker,
            color=look.colour,
            markerfacecolor="white" if is_bound else look.colour,
            markersize=3,
            markeredgewidth=0.7,
            gid=f"{name}:{'bounds' if is_bound else 'means'}",
        )
    return float(curve["mean"].iloc[-1])


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG of 300 dpi and as SVG; the two paths."""
    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    figure.savefig(paths[0], dpi=300, metadata={"Software": None})
    figure.savefig(paths[1], metadata={"Date": None})
    return paths
