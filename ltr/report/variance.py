"""Where the variance of tickets comes from: as a table, a sentence, plain data and a figure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ltr.analysis.mixed_model import RESIDUAL, Factors, Share
from ltr.analysis.statistics import Estimate
from ltr.analysis.variance import FACTORS, Variance, variances
from ltr.config.schema import Experiment
from ltr.core.plural import number_of
from ltr.errors import ConfigError
from ltr.report.figures import empty
from ltr.report.formatting import listed, percent, plus_minus, without_nan
from ltr.report.text_table import WIDTH, Column, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"weights": "initial weights", "order": "data order", "mask": "mask"}
TITLES = {"accuracy": "accuracy", "early_stop_step": "early-stop step"}
UNITS = {"accuracy": (100.0, "pp"), "early_stop_step": (1.0, "steps")}
"""Unit of each measure, and how many of it the measure's own unit has."""

COLOURS = {"accuracy": "#0072B2", "early_stop_step": "#D55E00"}
_DODGE, _LINE = 0.14, 0.07
"""Distance of a marker from its row, in rows, and height of a line of text, as a fraction of the axes."""


def text(results: pd.DataFrame, experiment: Experiment) -> str:
    """Return the table and the sentence of a run; empty for a run that does not cross its factors."""
    try:
        found = variances(results, experiment)
    except ConfigError as error:
        return f"{error}"
    if not found:
        return ""
    return f"{shares_table(found)}\n\n{textwrap.fill(sentence(found[0]), WIDTH)}"


def plain(results: pd.DataFrame, experiment: Experiment) -> list[dict[str, Any]] | None:
    """Return the variance of each measure as plain data; None if statsmodels is not installed."""
    try:
        found = variances(results, experiment)
    except ConfigError:
        return None
    return [_plain(variance) for variance in found]


def _plain(variance: Variance) -> dict[str, Any]:
    gain = variance.own_gain or Estimate(math.nan, math.nan, 0)
    shares = [
        {"component": component(share.factors), **share._asdict(), "factors": list(share.factors)}
        for share in variance.shares
    ]
    return without_nan(
        variance._asdict() | {"own_gain": gain.mean, "own_gain_ci95": gain.half_width, "shares": shares}
    )


def component(factors: Factors) -> str:
    """Name a component: a factor, an interaction of two, or of all three, which is what is left."""
    return " x ".join(NAMES[factor] for factor in factors) if factors != RESIDUAL else "what is left"


def design(variance: Variance) -> str:
    """Describe the design, as in `4 initial weights x 4 data orders x 2 masks`."""
    names = {"weights": ("initial weights", "initial weights"), "order": ("data order",), "mask": ("mask",)}
    return " x ".join(number_of(variance.levels[factor], *names[factor]) for factor in FACTORS)


def shares_table(found: Sequence[Variance]) -> str:
    """Return a table of the shares, a column for each measure."""
    first = found[0]
    lost = f"; {first.lost} without a result" if first.lost else ""
    heading = (
        f"Variance of {first.cells} trainings at {percent(first.density)} % of the weights "
        f"({design(first)}{lost}; share in % with 95 % interval)"
    )
    columns = [Column("component"), *(Column(TITLES[variance.measure], width=20) for variance in found)]
    names = dict.fromkeys(share.factors for variance in found for share in variance.shares)
    rows = [[component(factors), *(_cell(variance, factors) for variance in found)] for factors in names]
    rows += [["standard deviation", *(_in_unit(variance.deviation, variance.measure) for variance in found)]]
    if any(variance.own_gain for variance in found):
        rows += [["gain of a mask's own weights", *(_gain(variance) for variance in found)]]
    return f"{textwrap.fill(heading, WIDTH)}\n{table(columns, rows)}"


def sentence(variance: Variance) -> str:
    """Say how much of the variance each factor and the largest interaction have, and what a match gains."""
    measure = TITLES[variance.measure]
    if not variance.shares:
        return f"All {variance.cells} trainings have the same {measure}."
    alone = [share for share in variance.shares if len(share.factors) == 1]
    parts = [f"{_interval(share)} is of the {component(share.factors)} alone" for share in alone]
    pairs = [share for share in variance.shares if len(share.factors) == 2]
    if pairs:
        largest = max(pairs, key=lambda share: share.share)
        parts += [f"{_interval(largest)} of {component(largest.factors)}, the largest interaction"]
    words = f"Of the variance of {measure}, {listed(parts)}."
    if variance.own_gain is None:
        return words
    return f"{words} On the initial weights that it was found with a mask gains {_gain(variance)}."


def _cell(variance: Variance, factors: Factors) -> str:
    found = [share for share in variance.shares if share.factors == factors]
    return _interval(found[0]).replace(" %", "") if found else "-"


def _interval(share: Share) -> str:
    return f"{100 * share.share:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _in_unit(value: float, measure: str) -> str:
    scale, unit = UNITS[measure]
    return f"{scale * value:.2f} {unit}" if unit == "pp" else f"{scale * value:.0f} {unit}"


def _gain(variance: Variance) -> str:
    """Return the gain of the mask's own weights in the unit of the measure."""
    if variance.own_gain is None:
        return "-"
    scale, unit = UNITS[variance.measure]
    mean, half = scale * variance.own_gain.mean, scale * variance.own_gain.half_width
    if unit == "pp":
        return f"{plus_minus(mean, half)} {unit}"
    return f"{mean:.0f}{'' if math.isnan(half) else f' ± {half:.0f}'} {unit}"


def tooltips(found: Sequence[Variance]) -> dict[str, list[str]]:
    """Return the text of each marker of the figure, by the id of its group."""
    return {
        f"{variance.measure}:shares": [
            f"{TITLES[variance.measure]}, {component(share.factors)}: {_interval(share)}"
            for share in variance.shares
        ]
        for variance in found
        if variance.shares
    }


def figure(found: Sequence[Variance]) -> Figure:
    """Draw the share of each component with its interval, a row for each component."""
    names = list(dict.fromkeys(share.factors for variance in found for share in variance.shares))
    drawn, axes = empty("", "", f"{found[0].cells} trainings, 95 % intervals")
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.5)
    for position, variance in enumerate(found):
        name, colour = variance.measure, COLOURS[variance.measure]
        heights = [names.index(share.factors) + _DODGE * (2 * position - 1) for share in variance.shares]
        rows = 100 * pd.DataFrame(variance.shares)[["share", "low", "high"]]
        axes.hlines(heights, rows["low"], rows["high"], colour, linewidth=0.9, gid=f"{name}:intervals")
        axes.plot(
            rows["share"],
            heights,
            "os"[position],
            color=colour,
            markersize=3,
            clip_on=False,
            zorder=3,
            gid=f"{name}:shares",
        )
        above = 1.02 + _LINE * (len(found) - 1 - position)
        axes.text(-0.05, above, TITLES[name], color=colour, ha="right", transform=axes.transAxes)
    axes.set_yticks(range(len(names)), [component(factors) for factors in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of the variance (%)")
    return drawn
