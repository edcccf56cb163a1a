"""Axes of the figures: density ticks, limits and labels of curves."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

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

BREAK, ZERO_GAP = 2.0, 0.15
"""Least factor from the place of 0 to the lowest cost, and the part of the span of costs that it is."""

_NICE = [digit * 10.0**power for power in range(-6, 7) for digit in (1, 2, 5)]

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
    for style, height in _label_heights(axes, ends).items():
        axes.text(1.03, height, style.label, color=style.colour, va="center", transform=axes.transAxes)


def label_markers(axes: Axes, points: Mapping[Style, float], filled: Container[Style]) -> None:
    """Label points at the right of the axes, after their markers, in the order of their heights.

    Args:
        axes: axes with all points.
        points: heights.
        filled: the points whose markers are filled.
    """
    for style, height in _label_heights(axes, points).items():
        face = style.colour if style in filled else "white"
        axes.plot(
            1.04,
            height,
            style.marker,
            color=style.colour,
            markerfacecolor=face,
            markersize=3,
            markeredgewidth=0.7,
            clip_on=False,
            transform=axes.transAxes,
        )
        axes.text(1.08, height, style.label, color=style.colour, va="center", transform=axes.transAxes)


def _label_heights(axes: Axes, ends: Mapping[Style, float]) -> dict[Style, float]:
    """Return the heights of labels, as fractions of the height of the axes, that do not overlap."""
    x = axes.get_xlim()[0]
    end_heights = (axes.transScale + axes.transLimits).transform([(x, y) for y in ends.values()])[:, 1]
    heights = apart(end_heights, min(LABEL_GAP, 1 / len(ends)))
    return dict(zip(ends, heights, strict=True))


def set_cost_axis(axes: Axes, costs: pd.Series) -> pd.Series:
    """Make the x axis logarithmic, with a place for costs of 0 left of a break; return the places of all.

    `costs`: at least one is positive.
    """
    low, high = costs[costs > 0].min(), costs.max()
    gap = max(BREAK, (high / low) ** ZERO_GAP)
    has_zero = bool((costs == 0).any())
    places = costs.where(costs > 0, low / gap)
    padding = max(1.3, (high / places.min()) ** PADDING)
    axes.set_xscale("log")
    axes.set_xlim(places.min() / padding, high * padding)
    powers = [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    ticks = powers if len(powers) > 1 else [tick for tick in _NICE if low <= tick <= high] or [low]
    labels = [f"{tick:.2g}" if tick < 100 else f"{tick:.0f}" for tick in ticks]
    axes.set_xticks(*([low / gap, *ticks], ["0", *labels]) if has_zero else (ticks, labels))
    axes.set_xticks([], minor=True)
    if has_zero:
        slash = [(-0.5, -1.0), (0.5, 1.0)]
        left, right = axes.get_xlim()
        middle = math.log(low / gap**0.5 / left) / math.log(right / left)
        style: Any = {"marker": slash, "color": "black", "markersize": 4, "linestyle": "none"}
        axes.plot([middle - 0.008, middle + 0.008], [0, 0], transform=axes.transAxes, clip_on=False, **style)
    return places


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
