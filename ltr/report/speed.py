"""Training speed by density: the table and the figure of `ltr bench`."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ltr.report import text_table
from ltr.report.arms import Style
from ltr.report.axes import Limits, label_ends, set_density_axis
from ltr.report.figures import curve, empty, in_style, write
from ltr.report.formatting import percent

STYLES = {
    "packed": Style("packed", "packed training", "#0072B2", "o"),
    "dense": Style("masked dense", "masked dense training", "#000000", "s"),
    "torch": Style("PyTorch", "PyTorch", "#D55E00", "^"),
}

POSSIBLE = Limits(0, math.inf)

SPEEDS = {
    "dense": "dense",
    "packed": "packed",
    "torch": "PyTorch",
    "torch_fused": "fused",
    "ceiling": "ceiling",
}
"""Columns of the table of speeds, and their titles."""

RATIOS = (("packed", "dense"), ("dense", "torch"), ("dense", "torch_fused"), ("packed", "torch"))
"""Pairs of speeds whose ratio the table has."""


def table(machine: Mapping[str, Any], networks: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of steps per second and their ratios, at most 80 characters wide.

    Args:
        machine: facts about it.
        networks: comparisons as plain data (see `ltr.benchmark.comparison.Comparison`).
    """
    titles = ["density", *SPEEDS.values(), *map(_ratio_title, RATIOS)]
    columns = [text_table.Column(title, is_number=True) for title in titles]
    rows = [row for network in networks for row in network["rows"]]
    lines = text_table.table(columns, map(_cells, rows), gap=1).splitlines()
    heads, cells = lines[: -len(rows)], iter(lines[-len(rows) :])
    result = ["Training steps per second, all cores together", *machine_lines(machine), "", *heads]
    for network in networks:
        result += ["", *_heading(network), *itertools.islice(cells, len(network["rows"]))]
    return "\n".join(result)


def machine_lines(machine: Mapping[str, Any]) -> list[str]:
    """Return lines of the facts about a machine."""
    facts = ", ".join(
        f"{name.replace('_', ' ')} {fact or 'not built'}"
        for name, fact in machine.items()
        if fact or name == "sparse_kernels"
    )
    return textwrap.wrap(facts, text_table.WIDTH)


def _heading(network: Mapping[str, Any]) -> list[str]:
    """Return lines of what was measured."""
    turns, memory_format = network["turns"], network["torch_memory_format"]
    facts = [
        f"{network['network']}, {network['setting']}",
        f"{turns} turn{'s' if turns > 1 else ''}" if turns else "not measured, as the time was over",
        *([f"PyTorch {memory_format}"] if memory_format else []),
    ]
    return textwrap.wrap("; ".join(facts), text_table.WIDTH)


def draw(title: str, note: str, rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw the time of a step, relative to a step of the dense network, against density."""
    speeds = pd.DataFrame(rows).sort_values("density", ascending=False)
    whole, middle = speeds["dense"].iloc[0], speeds["density"].iloc[len(speeds) // 2]
    measured = {name: style for name, style in STYLES.items() if speeds[name].notna().all()}
    with in_style():
        figure, axes = empty("time of a step (dense ltr = 1)", title, note)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.plot(speeds["density"], speeds["density"], color="#999999", linewidth=0.8, linestyle=":")
        axes.annotate(
            "proportional\nto density",
            (middle, middle),
            xytext=(-4, -4), textcoords="offset points", ha="right", va="top", color="#666666",
        )  # fmt: skip
        ends = {}
        for name, style in measured.items():
            points = pd.DataFrame({"density": speeds["density"], "mean": whole / speeds[name]})
            ends[style] = curve(axes, points.assign(bar=np.nan, is_bound=False), style, name, POSSIBLE)
        set_density_axis(axes, speeds["density"])
        label_ends(axes, ends)
        write(figure, file)


def _cells(row: Mapping[str, Any]) -> list[str]:
    speeds = [rounded(row[name]) for name in SPEEDS]
    ratios = [_ratio(row[one], row[other]) for one, other in RATIOS]
    return [f"{percent(row['density'])} %", *speeds, *ratios]


def _ratio_title(pair: tuple[str, str]) -> str:
    """Return the title of a column of ratios."""
    one, other = pair
    return f"{SPEEDS[one]}:\n{SPEEDS[other]}"


def rounded(speed: float | None) -> str:
    """Format a speed as a whole number if it has two digits or more; `-` for None."""
    return "-" if speed is None else f"{speed:,.0f}" if speed >= 10 else f"{speed:.2f}"


def _ratio(one: float | None, other: float | None) -> str:
    return "-" if one is None or other is None else f"{one / other:.2f}"
