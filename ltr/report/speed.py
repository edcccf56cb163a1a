"""Training speed by density: the table and the figure of `ltr bench`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ltr.report.arms import Style
from ltr.report.axes import Limits, label_ends, ticks_of_density
from ltr.report.figures import curve, empty, in_style, write
from ltr.report.formatting import percent

STYLES = {
    "packed": Style("packed", "packed training", "#0072B2", "o"),
    "dense": Style("masked dense", "masked dense training", "#000000", "s"),
    "torch": Style("PyTorch", "PyTorch", "#D55E00", "^"),
}

POSSIBLE = Limits(0, math.inf)


def table(title: str, benchmark: Mapping[str, Any]) -> str:
    """Return a table of steps per second and their ratios, at most 80 characters wide.

    Args:
        title: network and data set.
        benchmark: output of `ltr bench --json`.
    """
    machine = benchmark["machine"]
    facts = ", ".join(f"{name.replace('_', ' ')} {fact}" for name, fact in machine.items() if fact)
    lines = [
        f"Training steps per second, all cores together: {title}",
        *_wrapped(facts),
        "",
        f"{'':9}{'steps per second':>36}   {'ratios':>32}",
        f"{'density':>9}{'dense':>9}{'packed':>9}{'PyTorch':>9}{'ceiling':>9}"
        f"   {'packed:':>8}{'dense:':>8}{'packed:':>8}{'dense:':>8}",
        f"{'':9}{'':36}   {'dense':>8}{'PyTorch':>8}{'PyTorch':>8}{'ceiling':>8}",
    ]
    for row in benchmark["rows"]:
        speeds = "".join(f"{_whole(row[name]):>9}" for name in ("dense", "packed", "torch", "ceiling"))
        pairs = [("packed", "dense"), ("dense", "torch"), ("packed", "torch"), ("dense", "ceiling")]
        ratios = "".join(f"{_ratio(row[one], row[other]):>8}" for one, other in pairs)
        lines.append(f"{percent(row['density']) + ' %':>9}{speeds}   {ratios}")
    return "\n".join(lines)


def draw(title: str, note: str, benchmark: Mapping[str, Any], file: Path) -> None:
    """Draw the time of a step, relative to a step of the dense network, against density."""
    rows = pd.DataFrame(benchmark["rows"]).sort_values("density", ascending=False)
    whole, middle = rows["dense"].iloc[0], rows["density"].iloc[len(rows) // 2]
    measured = {name: style for name, style in STYLES.items() if rows[name].notna().all()}
    with in_style():
        figure, axes = empty("time of a step (dense ltr = 1)", title, note)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.plot(rows["density"], rows["density"], color="#999999", linewidth=0.8, linestyle=":")
        axes.annotate(
            "proportional\nto density",
            (middle, middle),
            xytext=(-4, -4), textcoords="offset points", ha="right", va="top", color="#666666",
        )  # fmt: skip
        ends = {}
        for name, style in measured.items():
            points = pd.DataFrame({"density": rows["density"], "mean": whole / rows[name]})
            ends[style] = curve(axes, points.assign(bar=np.nan, is_bound=False), style, name, POSSIBLE)
        ticks_of_density(axes, rows["density"])
        label_ends(axes, ends)
        write(figure, file)


def _whole(speed: float | None) -> str:
    return "-" if speed is None else f"{speed:,.0f}" if speed >= 10 else f"{speed:.2f}"


def _ratio(one: float | None, other: float | None) -> str:
    return "-" if one is None or other is None else f"{one / other:.2f}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 80)
