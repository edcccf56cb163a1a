"""Axes of the figures: from dense to sparse, high enough, and labelled at the curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ltr.report.arms import Style
from ltr.report.formatting import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Limits(NamedTuple):
    """Least and greatest value that is possible."""

    low: float
    high: float


MOST_TICKS = 7
PADDING = 0.05
"""Free at either end of the axis of densities, as a fraction of what they span."""

LABEL_GAP = 0.08
"""Least distance of two labels, as a fraction of the height of the axes."""


def ticks_of_density(axes: Axes, densities: pd.Series) -> None:
    """Make x logarithmic, from dense at the left to sparse, with ticks in % at evenly chosen rounds."""
    rounds = np.sort(densities.unique())[::-1]
    ticks = rounds[:: -(-len(rounds) // MOST_TICKS)]
    axes.set_xscale("log")
    padding = (rounds[0] / rounds[-1]) ** PADDING if len(rounds) > 1 else 1.1
    axes.set_xlim(rounds[0] * padding, rounds[-1] / padding)
    axes.set_xticks(ticks, [percent(density) for density in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("weights remaining (%)")


def fit_heights(
    axes: Axes, means: pd.Series, bars: pd.Series, possible: Limits, from_zero: bool = False
) -> None:
    """Show every mean, half of the intervals whole at least, and nothing impossible.

    The longer intervals are shown up to half of what the means span: one of two replicates can be so long
    that nothing else could be seen.
    """
    bars = bars.fillna(0)
    span = means.max() - means.min() or 2 * bars.max()
    seen = bars.clip(upper=max(0.5 * span, bars.quantile(0.5, "lower")))
    low, high = (means - seen).min(), (means + seen).max()
    margin = 0.05 * (high - low) or 1.0
    axes.set_ylim(0 if from_zero else max(low - margin, possible.low), min(high + margin, possible.high))


def label_ends(axes: Axes, ends: Mapping[Style, float]) -> None:
    """Name each curve beside its end, in its colour; names that would touch are moved apart."""
    x = axes.get_xlim()[0]
    wanted = (axes.transScale + axes.transLimits).transform([(x, y) for y in ends.values()])[:, 1]
    heights = apart(wanted, min(LABEL_GAP, 1 / len(ends)))
    for style, height in zip(ends, heights, strict=True):
        axes.text(1.03, height, style.label, color=style.colour, va="center", transform=axes.transAxes)


def apart(heights: np.ndarray, gap: float) -> np.ndarray:
    """The nearest heights (least squares) in the same order, no two closer than `gap`.

    From 0 to half a gap below 1, above which titles stand. There has to be room for them: `gap` is at most
    1 / (heights - 1/2).
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(heights, kind="stable")
    offsets = gap * np.arange(len(heights))
    moved = np.empty_like(heights)
    moved[order] = (
        isotonic_regression(heights[order] - offsets).x.clip(0, 1 - gap / 2 - offsets[-1]) + offsets
    )
    return moved
