"""Axes of the figures: density ticks, limits and labels of curves."""

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
    """Smallest and largest possible value."""

    low: float
    high: float


MOST_TICKS = 7
PADDING = 0.05
"""Margin at both ends of the density axis, as a fraction of its span."""

LABEL_GAP = 0.08
"""Smallest distance of two labels, as a fraction of the height of the axes."""


def set_density_axis(axes: Axes, densities: pd.Series) -> None:
    """Make the x axis logarithmic in density, dense at the left, with ticks in % at evenly spaced rounds."""
    rounds = np.sort(densities.unique())[::-1]
    ticks = rounds[:: -(-len(rounds) // MOST_TICKS)]
    axes.set_xscale("log")
    padding = (rounds[0] / rounds[-1]) ** PADDING if len(rounds) > 1 else 1.1
    axes.set_xlim(rounds[0] * padding, rounds[-1] / padding)
    axes.set_xticks(ticks, [percent(density) for density in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("weights remaining (%)")


def set_height_limits(
    axes: Axes, means: pd.Series, bars: pd.Series, possible: Limits, from_zero: bool = False
) -> None:
    """Set the limits of the y axis to show every mean and the shorter half of the intervals.

    Longer intervals are cut off at half the span of the means, because an interval of two replicates can be
    so long that nothing else would be visible. The limits lie within the possible values.
    """
    bars = bars.fillna(0)
    span = means.max() - means.min() or 2 * bars.max()
    visible = bars.clip(upper=max(0.5 * span, bars.quantile(0.5, "lower")))
    low, high = (means - visible).min(), (means + visible).max()
    margin = 0.05 * (high - low) or 1.0
    axes.set_ylim(0 if from_zero else max(low - margin, possible.low), min(high + margin, possible.high))


def label_ends(axes: Axes, ends: Mapping[Style, float]) -> None:
    """Label each curve beside its end, in its colour; labels that would overlap are moved apart."""
    x = axes.get_xlim()[0]
    end_heights = (axes.transScale + axes.transLimits).transform([(x, y) for y in ends.values()])[:, 1]
    heights = apart(end_heights, min(LABEL_GAP, 1 / len(ends)))
    for style, height in zip(ends, heights, strict=True):
        axes.text(1.03, height, style.label, color=style.colour, va="center", transform=axes.transAxes)


def apart(heights: np.ndarray, gap: float) -> np.ndarray:
    """Return the nearest heights (least squares) in the same order, no two closer than `gap`.

    Args:
        heights: float [labels], as fractions of the height of the axes.
        gap: at most 1 / (labels - 1/2), which leaves room for all labels.

    Returns:
        Float [labels], from 0 to half a gap below 1; the title is above.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(heights, kind="stable")
    offsets = gap * np.arange(len(heights))
    moved = np.empty_like(heights)
    moved[order] = (
        isotonic_regression(heights[order] - offsets).x.clip(0, 1 - gap / 2 - offsets[-1]) + offsets
    )
    return moved
