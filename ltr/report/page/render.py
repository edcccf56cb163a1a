"""From what is known of runs to the page: templates in, no number made up."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from ltr.analysis.mask_structure import TicketLayers
from ltr.analysis.registry import CLAIMS
from ltr.analysis.statistics import ROUNDING
from ltr.analysis.summary import by_round
from ltr.analysis.verdicts import Verdict, sparsest
from ltr.config.schema import Experiment
from ltr.report import comparison
from ltr.report.advice import caveats
from ltr.report.arms import styles
from ltr.report.claims import how_tested
from ltr.report.command_line import command, word
from ltr.report.figures import in_style
from ltr.report.formatting import percent, plus_minus, replicates, spread
from ltr.report.page import drawings
from ltr.report.page.drawings import Drawing
from ltr.report.page.svg import inline
from ltr.report.progress import duration
from ltr.report.summary_text import Found, by_the_means, headline
from ltr.store.looks import Look

MOST_CURVES = 5
"""Densities whose learning curves are shown: the dense network's and four more."""


class Subject(NamedTuple):
    """What is known of a run.

    Attributes:
        name: of its folder.
        title: network and data set as papers write them.
        info: `run.json`.
        experiment, settings: what was asked for, and its knobs beyond the defaults by dotted name.
        results, metrics, timings: its tables, of what was asked for.
        found, looks: what is decided of its claims, and the looks that were taken for it.
        layers: how many weights each layer of each ticket keeps (`ltr.analysis.mask_structure.counted`).
        last: the last ticket of each replicate; these two are empty where checkpoints are lost.
        image: height, width and channels of its data; None where they are not known any more.
    """

    name: str
    title: str
    info: Mapping[str, Any]
    experiment: Experiment
    settings: Mapping[str, Any]
    results: pd.DataFrame
    metrics: pd.DataFrame
    timings: pd.DataFrame
    found: Found
    looks: Sequence[Look]
    layers: pd.DataFrame
    last: TicketLayers
    image: tuple[int, int, int] | None


def page(subjects: Sequence[Subject], compared: pd.DataFrame | None = None) -> str:
    """The page of runs; `compared` is what `ltr.analysis.comparison.compare` gave of several."""
    runs = [_run(subject, f"r{place}") for place, subject in enumerate(subjects)]
    return _template("page.html").render(
        title=subjects[0].title if len(subjects) == 1 else f"{len(subjects)} runs",
        runs=runs,
        compared=None if compared is None or compared.empty else _compared(subjects, compared),
        style=Markup(_asset("page.css")),
        script=Markup(_asset("page.js")),
    )


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["number"] = _number
    return environment.from_string(_asset(name))


def _asset(name: str) -> str:
    return (resources.files("ltr.report.page") / name).read_text(encoding="utf-8")


def _number(value: float | None, shown: str) -> Markup:
    """A number as it is read, and whole as it is in the tables; nothing for none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Markup("")
    return Markup('<data value="{}">{}</data>').format(repr(value), shown)


def _run(subject: Subject, run_id: str) -> dict[str, Any]:
    results, experiment, found = subject.results, subject.experiment, subject.found
    summary = by_round(results)
    return {
        "id": run_id,
        "name": subject.name,
        "answer": headline(results, found, experiment),
        "means": [by_the_means(results), *caveats(results, experiment)],
        "title": subject.title,
        "status": subject.info.get("status"),
        "claims": [_claim(name, rounds) for name, rounds in found.items() if rounds],
        "matching": sparsest(found.get("matches", [])),
        "tested": how_tested(subject.looks),
        "spread": spread(summary["n"]) if len(summary) else "",
        "arms": [{"name": arm, "label": style.label} for arm, style in styles(summary["arm"]).items()],
        "parts": {f"arm-{arm}": style.label for arm, style in styles(summary["arm"]).items()},
        "rounds": _rounds(summary),
        "drawings": list(_drawings(subject, run_id)),
        "facts": _facts(subject),
        "command": command(subject.settings, experiment.dataset),
        "settings": subject.settings,
    }


def _claim(name: str, rounds: Sequence[Verdict]) -> dict[str, Any]:
    counts = sorted({one.n for one in rounds})
    return {
        "says": CLAIMS[name].says,
        "in_short": CLAIMS[name].short,
        "n": "-".join(map(str, dict.fromkeys([counts[0], counts[-1]]))),
        "rounds": [_tested(one) for one in rounds],
    }


def _tested(one: Verdict) -> dict[str, Any]:
    """A claim at one density: each number, and how it is read."""
    return {
        "density": (one.density, f"{percent(one.density)} %"),
        "verdict": one.verdict,
        "effect": (one.effect, _effect(one.effect, one.unit)),
        "in_short": _effect(one.effect, one.unit) if one.unit == "fraction" else f"×{2**one.effect:.2f}",
        "unit": "pp" if one.unit == "fraction" else "log₂",
        "has_interval": not math.isnan(one.low),
        "low": (one.low, _effect(one.low, one.unit)),
        "high": (one.high, _effect(one.high, one.unit)),
        "p": (one.p, "< 0.001" if one.p < 0.001 else f"{one.p:.3f}"),
        "n": (one.n, str(one.n)),
        "needed": (one.needed, f"{one.needed} might tell"),
    }


def _effect(value: float, unit: str) -> str:
    """With a sign, the minus as long as the plus."""
    return f"{100 * value if unit == 'fraction' else value:+.2f}".replace("-", "−")


def _rounds(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """A row per round, a cell per arm."""
    rows = []
    for round_number, of_round in summary.groupby("round"):
        highest = of_round["accuracy"].max()
        cells = {row["arm"]: _cell(row, highest) for row in of_round.to_dict("records")}
        density = float(of_round.loc[of_round["arm"] == "ticket", "density"].iloc[0])
        rows.append({"round": round_number, "density": (density, f"{100 * density:.2f} %"), "cells": cells})
    return rows


def _cell(row: Mapping[Any, Any], highest: float) -> dict[str, Any]:
    accuracy, step = row["accuracy"], row["early_stop_step"]
    return {
        "accuracy": (accuracy, plus_minus(100 * accuracy, 100 * row["accuracy_ci95"])),
        "is_highest": accuracy > highest - ROUNDING,
        "step": (step, f"{'> ' if row['censored'] else ''}{step:,.0f}"),
    }


def _drawings(subject: Subject, run_id: str) -> Iterator[dict[str, Any]]:
    with in_style():
        for drawing in _drawn(subject):
            name = f"{run_id}-{drawing.name}"
            yield {
                "name": name,
                "title": drawing.title,
                "caption": drawing.caption,
                "choices": drawing.choices,
                "svg": Markup(
                    inline(drawing.figure, f"{run_id}-{drawing.name}", drawing.says, drawing.tooltips)
                ),
            }


def _drawn(subject: Subject) -> Iterator[Drawing]:
    results = subject.results
    if results.empty:
        return
    last = int(results["round"].max())
    tested = sorted({one.round for rounds in subject.found.values() for one in rounds})
    meaning = (
        "at densities where claims are tested, and at the last" if tested else "at the first and last density"
    )
    yield from drawings.against_density(results)
    yield drawings.learning(subject.metrics, _thinned(sorted({0, last, *tested})), meaning)
    if last and not subject.experiment.ticket:  # which another run had to be trained for
        yield drawings.by_cost(results)
    if len(subject.last) and last:
        yield from drawings.connections(subject.layers, subject.last, subject.image)


def _thinned(rounds: Sequence[int]) -> list[int]:
    """As many of them as there may be curves, evenly, with the first and the last."""
    places = np.linspace(0, len(rounds) - 1, min(MOST_CURVES, len(rounds)))
    return [rounds[place] for place in places.round().astype(int)]


def _facts(subject: Subject) -> dict[str, str]:
    """What else there is to say of how it was run."""
    info = subject.info
    session = (info.get("sessions") or [{}])[-1]
    versions, devices = session.get("versions", {}), session.get("devices", {})
    seconds = float(subject.timings["seconds"].sum())
    lanes = len(subject.results)
    return {
        "run": f"{subject.name}, {info.get('status', '')}",
        "trained": f"{lanes:,} networks in {duration(seconds)} of device time",
        "pace": _pace(subject),
        "seeds": f"root seed {subject.experiment.seed}; {replicates([subject.experiment.replicates])}",
        "devices": ", ".join(f"{name} {value}" for name, value in devices.items()),
        "versions": ", ".join(f"{name} {value}" for name, value in versions.items()),
        "began": str((info.get("sessions") or [{}])[0].get("began", "")),
    }


def _pace(subject: Subject) -> str:
    """How long a training took at first and at last: pruned layers may cost less."""
    seconds = subject.timings.groupby("round")["seconds"].median()
    densities = subject.results.groupby("round")["density"].mean()
    said = [
        f"{seconds[round_number]:.3g} s at {percent(densities[round_number])} %"
        for round_number in sorted({*seconds.index[:1], *seconds.index[-1:]} & set(densities.index))
    ]
    return f"a training took {', '.join(said)} of the weights" if said else ""


def _compared(subjects: Sequence[Subject], rows: pd.DataFrame) -> dict[str, Any]:
    """The runs of a sweep side by side."""
    apart = comparison.differing([subject.settings for subject in subjects])
    with in_style():
        drawing = drawings.side_by_side(rows, [comparison.letter(n) for n in range(len(subjects))])
        svg = Markup(inline(drawing.figure, drawing.name, drawing.says, drawing.tooltips))
    return {
        "knobs": list(apart[0]),
        "runs": [
            {
                "letter": comparison.letter(place),
                "name": subject.name,
                "id": f"r{place}",
                "values": ["default" if value is None else word(value) for value in apart[place].values()],
            }
            for place, subject in enumerate(subjects)
        ],
        "drawing": {
            "name": drawing.name,
            "title": drawing.title,
            "caption": drawing.caption,
            "choices": {},
            "svg": svg,
        },
        "rows": [
            {
                "run": comparison.letter(row["run"]),
                "density": (row["density"], f"{100 * row['density']:.2f} %"),
                "accuracy": (row["accuracy"], plus_minus(100 * row["accuracy"], 100 * row["accuracy_ci95"])),
                "beside": (row["beside_density"], f"{100 * row['beside_density']:.2f} %"),
                "difference": (
                    row["difference"],
                    plus_minus(100 * row["difference"], 100 * row["difference_ci95"]),
                ),
            }
            for row in rows.to_dict("records")
        ],
    }
