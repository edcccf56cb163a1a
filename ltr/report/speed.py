"""Training speed by density: the table of `ltr bench`, and the figure of cost."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ltr.report.axes import ticks_of_density
from ltr.report.figures import HEIGHT, STYLE, WIDTH
from ltr.report.numbers import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONTENDERS = {
    "packed": ("packed", "#0072b2", "o"),
    "dense": ("masked dense", "#000000", "s"),
    "torch": ("PyTorch", "#d55e00", "^"),
}
"""Name, colour (of Okabe & Ito's palette, as in the other figures) and marker."""


def table(title: str, found: Mapping[str, Any]) -> str:
    """Steps a second and their ratios, at most 80 columns wide.

    Args:
        title: what is trained.
        found: what `ltr bench --json` prints.
    """
    facts = ", ".join(f"{name.replace('_', ' ')} {fact}" for name, fact in found["machine"].items() if fact)
    lines = [
        f"Training steps per second, all cores together: {title}",
        *_wrapped(facts),
        "",
        f"{'':9}{'steps per second':>36}   {'ratios':>32}",
        f"{'density':>9}{'dense':>9}{'packed':>9}{'PyTorch':>9}{'ceiling':>9}"
        f"   {'packed:':>8}{'dense:':>8}{'packed:':>8}{'dense:':>8}",
        f"{'':9}{'':36}   {'dense':>8}{'PyTorch':>8}{'PyTorch':>8}{'ceiling':>8}",
    ]
    for row in found["rows"]:
        speeds = "".join(f"{_whole(row[name]):>9}" for name in ("dense", "packed", "torch", "ceiling"))
        pairs = [("packed", "dense"), ("dense", "torch"), ("packed", "torch"), ("dense", "ceiling")]
        ratios = "".join(f"{_ratio(row[one], row[other]):>8}" for one, other in pairs)
        lines.append(f"{percent(row['density']) + ' %':>9}{speeds}   {ratios}")
    return "\n".join(lines)


def draw(title: str, found: Mapping[str, Any], file: Path) -> None:
    """Draw the time of a step, in those of the dense network, against density."""
    import matplotlib.style
    from matplotlib.figure import Figure

    rows = pd.DataFrame(found["rows"]).sort_values("density", ascending=False)
    whole, middle = rows["dense"].iloc[0], rows["density"].iloc[len(rows) // 2]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        axes: Axes = figure.subplots()
        axes.plot(rows["density"], rows["density"], color="#999999", linewidth=0.8, linestyle=":")
        axes.annotate(
            "what the\nweights weigh",
            (middle, middle),
            xytext=(-4, -4), textcoords="offset points", ha="right", va="top", color="#666666",
        )  # fmt: skip
        for name, (label, colour, marker) in CONTENDERS.items():
            if rows[name].notna().all():
                time = whole / rows[name]
                axes.plot(rows["density"], time, color=colour, marker=marker, markersize=3, linewidth=1)
                axes.text(
                    1.02,
                    time.iloc[-1],
                    label,
                    color=colour,
                    va="center",
                    transform=axes.get_yaxis_transform(),
                )
        ticks_of_density(axes, rows["density"])
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_ylabel("time of a step (dense ltr = 1)")
        axes.set_title(title, fontsize=7)
        figure.savefig(
            file, dpi=200, metadata={"Software": None} if file.suffix == ".png" else {"Date": None}
        )


def _whole(speed: float | None) -> str:
    return "-" if speed is None else f"{speed:,.0f}" if speed >= 10 else f"{speed:.2f}"


def _ratio(one: float | None, other: float | None) -> str:
    return "-" if one is None or other is None else f"{one / other:.2f}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 80)
