"""Figures of a page, each with a text alternative."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ltr.analysis.learning_curves import learning_curve
from ltr.analysis.mask_structure import TicketLayers, connections_of_inputs, initial_weights
from ltr.analysis.search_cost import search_cost
from ltr.analysis.summary import by_round
from ltr.analysis.variance import Variance
from ltr.report import race_figure
from ltr.report import variance as shares_of_variance
from ltr.report.arms import Style, styles
from ltr.report.axes import Limits, label_ends, set_density_axis, set_height_limits
from ltr.report.figures import Measure, curve, empty, figure, measures
from ltr.report.formatting import percent, plus_minus, spread
from ltr.report.race import brief
from ltr.store.chains import has_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEQUENCE = ("#555555", "#0072B2", "#009E73", "#E69F00", "#D55E00", "#B0508F")
"""Colours of ordered things, such as densities and layers."""

PERCENT = Limits(0, 100)


class Drawing(NamedTuple):
    """Figure of a page.

    Attributes:
        name: id in the page.
        title: text above the figure.
        caption: text below the figure.
        alt: text alternative for readers who cannot see the figure.
        figure: the figure itself.
        tooltips: texts of the markers in their order, by the id of their group in the SVG.
        choices: labels of the parts that a reader may hide, by their class in the SVG.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure
    tooltips: dict[str, list[str]]
    choices: Mapping[str, str] = MappingProxyType({})


def against_density(results: pd.DataFrame) -> Iterator[Drawing]:
    """Draw accuracy and early stop of every arm against density, with every replicate that has a result."""
    results = results[has_result(results)]
    summary = by_round(results)
    texts = {
        "accuracy": ("Accuracy", "of the test set, at the step of minimum validation loss"),
        "early_stop": ("Speed of learning", "the step of minimum validation loss"),
    }
    for name, measure in measures(results).items():
        title, meaning = texts[name]
        yield Drawing(
            name,
            title,
            f"{meaning[0].upper()}{meaning[1:]}. Ribbons are 95 % intervals, faint points single replicates.",
            f"{title}, {meaning}, against the weights remaining, a curve for each arm. The table below has "
            "the numbers.",
            figure(results, measure, "", with_replicates=True),
            _tooltips(summary, measure),
        )


def _tooltips(summary: pd.DataFrame, measure: Measure) -> dict[str, list[str]]:
    tooltips: dict[str, list[str]] = {}
    for row in summary.to_dict("records"):
        label = styles([row["arm"]])[row["arm"]].label
        is_bound = measure.column == "early_stop_step" and row["censored"] > 0
        mean, half = (measure.scale * row[f"{measure.column}{suffix}"] for suffix in ("", "_ci95"))
        if is_bound:
            value = f"step {mean:.0f} or later"
        elif measure.column == "early_stop_step":
            value = f"step {mean:.0f}" + ("" if np.isnan(half) else f" ± {half:.0f}")
        else:
            value = f"{plus_minus(mean, half)} %"
        text = f"{label}, {percent(row['density'])} % of the weights: {value}"
        tooltips.setdefault(f"{row['arm']}:{'bounds' if is_bound else 'means'}", []).append(text)
    return tooltips


def learning(metrics: pd.DataFrame, rounds: Sequence[int], meaning: str) -> Drawing:
    """Draw the learning curves of tickets and of fresh weights (`random_reinit`) in several rounds.

    Args:
        metrics: rows of the metrics table.
        rounds: the rounds to draw.
        meaning: phrase for the caption that says which rounds these are.
    """
    tickets = metrics[metrics["arm"] == "ticket"]
    densities = tickets.groupby("round")["density"].mean()
    note = "solid: ticket; dotted: fresh weights" if "random_reinit" in set(metrics["arm"]) else ""
    drawn, axes = empty("validation accuracy (%)", "", note, labels=len(rounds))
    ends, choices = {}, {}
    for position, round_number in enumerate(rounds):
        colour = SEQUENCE[position % len(SEQUENCE)]
        label = "dense" if round_number == 0 else f"{percent(densities[round_number])} %"
        choices[f"round-{round_number}"] = label
        for arm, dashes in (("ticket", "-"), ("random_reinit", ":")):
            means = learning_curve(metrics, round_number, arm)
            means = means[means["step"] > 0]
            if len(means):
                gid = f"{arm}:round:{round_number}"
                axes.plot(
                    means["step"], 100 * means["accuracy"], dashes, color=colour, linewidth=0.8, gid=gid
                )
                if arm == "ticket":
                    ends[Style(label, label, colour, "")] = float(100 * means["accuracy"].iloc[-1])
    _fit_curves(axes)
    axes.set_xlabel("step")
    label_ends(axes, ends)
    return Drawing(
        "learning",
        "Learning curves",
        f"Means over replicates, {meaning}. The curve that bends first learns fastest.",
        "Validation accuracy against training steps, a curve for each density.",
        drawn,
        {},
        choices,
    )


def _fit_curves(axes: Axes) -> None:
    """Set the limits of the axes; the steep first steps are cut off to separate the ends of the curves."""
    heights = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
    low, high = np.quantile(heights, 0.1), heights.max()
    margin = 0.06 * (high - low) or 1.0
    axes.set_ylim(max(low - margin, 0), min(high + margin, 100))
    axes.set_xlim(left=0)


def by_cost(results: pd.DataFrame) -> Drawing:
    """Draw accuracy against the operations of the search."""
    results = results[has_result(results)]
    costs, arms = search_cost(results), styles(["ticket", "one_shot"])
    power = int(np.log10(costs["flops"].max()))
    unit = 10.0**power
    drawn, axes = empty("test accuracy at early stop (%)", "", spread(by_round(results)["n"]), labels=2)
    ends, tooltips = {}, {}
    for arm in costs["arm"].unique():
        of_arm = costs[costs["arm"] == arm]
        points = pd.DataFrame({"density": of_arm["flops"] / unit, "mean": 100 * of_arm["accuracy"]})
        points = points.assign(bar=100 * of_arm["accuracy_ci95"], is_bound=False)
        ends[arms[arm]] = curve(axes, points, arms[arm], arm, PERCENT)
        tooltips[f"{arm}:means"] = [
            f"{arms[arm].label}, {percent(row['density'])} % of the weights: "
            f"{plus_minus(100 * row['accuracy'], 100 * row['accuracy_ci95'])} % "
            f"after {row['flops']:.2g} operations"
            for row in of_arm.to_dict("records")
        ]
    axes.set_xlim(left=0)
    set_height_limits(axes, 100 * costs["accuracy"], 100 * costs["accuracy_ci95"], PERCENT)
    axes.set_xlabel(f"operations of all trainings so far ($10^{{{power}}}$)")
    label_ends(axes, ends)
    return Drawing(
        "cost",
        "Cost of the search",
        "A ticket needs the trainings of all rounds up to its own; one-shot pruning needs two.",
        "Accuracy against the operations of all trainings that a network needs.",
        drawn,
        tooltips,
    )


def race(rows: pd.DataFrame) -> Drawing:
    """Draw the accuracy of masks of a density against the cost of their searches."""
    return Drawing(
        "race",
        f"Accuracy against cost at {percent(rows['density'].iloc[0])} %",
        "Filled and joined: nothing cheaper is as accurate. Vertical: 95 % intervals of the means. Dotted: "
        "IMP (the ticket) less the margin.",
        "Accuracy against the cost of finding the mask, a point for each search. The table has the numbers.",
        race_figure.race_figure(rows, ""),
        {f"{row['arm']}:means": [_race_tooltip(row)] for row in race_figure.drawn(rows).to_dict("records")},
    )


def _race_tooltip(row: Mapping[Any, Any]) -> str:
    label = styles([row["arm"]])[row["arm"]].label
    accuracy = plus_minus(100 * row["accuracy"], 100 * row["accuracy_ci95"])
    return f"{label}: {accuracy} % at a cost of {brief(row['cost'])} trainings"


def connections(
    layers: pd.DataFrame, last: TicketLayers, image: tuple[int, int, int] | None
) -> Iterator[Drawing]:
    """Draw the kept weights of the ticket by layer, by initial value and, in a LeNet, by input pixel."""
    round_number = int(layers["round"].max())
    yield _layers(layers)
    largest = str(layers["layer"].iloc[int(layers["weights"].argmax())])
    yield _initial(last, round_number, largest)
    first = str(layers["layer"].iloc[0])
    kept = last[0][first].kept
    if image is not None and kept.ndim == 2 and kept.shape[0] == np.prod(image):
        yield _pixels(last, round_number, first, image)


def _layers(layers: pd.DataFrame) -> Drawing:
    names = list(dict.fromkeys(layers["layer"]))
    drawn, axes = empty("weights remaining in a layer (%)", "", "mean over replicates", labels=len(names))
    overall = layers.groupby("round")[["kept", "weights"]].sum()
    densities = overall["kept"] / overall["weights"]
    ends, tooltips = {}, {}
    for position, name in enumerate(names):
        means = layers[layers["layer"] == name].groupby("round")["density"].mean()
        means = means[means > 0]  # the axis is logarithmic
        colour = SEQUENCE[1:][position % (len(SEQUENCE) - 1)]
        style = Style(name, name, colour, "v")
        points = pd.DataFrame({"density": densities[means.index], "mean": 100 * means, "is_bound": False})
        ends[style] = curve(axes, points.assign(bar=np.nan), style, name, PERCENT)
        tooltips[f"{name}:means"] = [
            f"{name}, round {round_number}: {percent(density)} % of its weights"
            for round_number, density in means.items()
        ]
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    set_density_axis(axes, densities)
    label_ends(axes, ends)
    return Drawing(
        "layers",
        "Density of each layer",
        "Density of each layer against the density of the whole network.",
        "The density of each layer against the density of the whole network, a curve for each layer.",
        drawn,
        tooltips,
    )


def _initial(last: TicketLayers, round_number: int, layer: str) -> Drawing:
    kept, pruned = initial_weights(last, layer)
    drawn, axes = empty("share of the weights", "", f"layer {layer}, all replicates", labels=2)
    span = float(np.quantile(np.abs(np.concatenate([kept, pruned])), 0.999))
    bins = np.linspace(-span, span, 61)
    for values, label, colour in ((pruned, "pruned", SEQUENCE[0]), (kept, "kept", SEQUENCE[1])):
        heights, _ = np.histogram(values, bins)
        axes.stairs(heights / max(1, len(values)), bins, fill=True, alpha=0.35, color=colour, linewidth=0)
        axes.stairs(heights / max(1, len(values)), bins, color=colour, linewidth=0.9)
        height = 0.94 if label == "kept" else 0.86
        axes.text(0.98, height, label, color=colour, ha="right", transform=axes.transAxes)
    axes.set_xlabel("initial value of a weight")
    axes.set_ylim(bottom=0)
    return Drawing(
        "initial",
        "Initial values of kept weights",
        f"Initial values of the weights that are kept in round {round_number}, and of the pruned weights.",
        "Two histograms of initial weights: kept and pruned.",
        drawn,
        {},
    )


def _pixels(last: TicketLayers, round_number: int, layer: str, image: tuple[int, int, int]) -> Drawing:
    counts = connections_of_inputs(last, layer).reshape(image).sum(-1)
    drawn, axes = empty("", "", "connections of a pixel, mean over replicates")
    axes.spines[:].set_visible(False)
    picture = axes.imshow(counts, cmap="viridis", interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    bar = drawn.colorbar(picture, ax=axes, shrink=0.9, use_gridspec=False)
    bar.outline.set_visible(False)
    return Drawing(
        "pixels",
        "Connections of the input pixels",
        f"Connections from each input pixel to the first layer, in round {round_number}.",
        "An image of the input; the brightness of a pixel is its number of connections.",
        drawn,
        {},
    )


def variance(found: Sequence[Variance]) -> Drawing:
    """Draw the shares of initial weights, data order and mask in the variance of crossed trainings."""
    return Drawing(
        "variance",
        "Where the variance comes from",
        f"{shares_of_variance.design(found[0])}. {shares_of_variance.sentence(found[0])}",
        "Share of each component of the variance with its interval. "
        + "; ".join(text for texts in shares_of_variance.tooltips(found).values() for text in texts),
        shares_of_variance.figure(found),
        shares_of_variance.tooltips(found),
    )


def side_by_side(compared: pd.DataFrame, letters: Sequence[str]) -> Drawing:
    """Draw the tickets of several runs against density.

    Args:
        compared: table from `ltr.analysis.comparison.compare`.
        letters: names of the runs in the figure.
    """
    compared = compared[compared["n"] > 0]
    drawn, axes = empty("test accuracy at early stop (%)", "", spread(compared["n"]), labels=len(letters))
    arms, ends, tooltips = styles(letters), {}, {}
    for run in sorted(compared["run"].unique()):
        letter, rows = letters[run], compared[compared["run"] == run]
        points = pd.DataFrame({"density": rows["density"], "mean": 100 * rows["accuracy"]})
        points = points.assign(bar=100 * rows["accuracy_ci95"], is_bound=False)
        ends[arms[letter]] = curve(axes, points, arms[letter], letter, PERCENT)
        tooltips[f"{letter}:means"] = [
            f"{letter}, {percent(row['density'])} % of the weights: "
            f"{plus_minus(100 * row['accuracy'], 100 * row['accuracy_ci95'])} %"
            for row in rows.to_dict("records")
        ]
    set_density_axis(axes, compared["density"])
    set_height_limits(axes, 100 * compared["accuracy"], 100 * compared["accuracy_ci95"], PERCENT)
    label_ends(axes, ends)
    return Drawing(
        "side_by_side",
        "Tickets side by side",
        "The ticket of each run against its own density.",
        "Accuracy against the weights remaining, a curve for each run.",
        drawn,
        tooltips,
    )
