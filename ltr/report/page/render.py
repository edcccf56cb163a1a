"""Rendering of the page: data of runs to HTML, by templates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from ltr.analysis.claims import REFUTED, SUPPORTED, UNDECIDED
from ltr.analysis.mask_structure import TicketLayers
from ltr.analysis.registry import CLAIMS
from ltr.analysis.search_race import AS_GOOD, WORSE, Searched, race_of, raced
from ltr.analysis.statistics import ROUNDING
from ltr.analysis.summary import by_round
from ltr.analysis.variance import Variance
from ltr.analysis.verdicts import Verdict, sparsest
from ltr.config.literals import literal
from ltr.config.schema import Experiment
from ltr.core.plural import number_of
from ltr.report import comparison, cut_off, lost, race, race_figure
from ltr.report.advice import caveats
from ltr.report.arms import styles
from ltr.report.claims import how_tested
from ltr.report.command_line import command
from ltr.report.differing import differing, differing_names
from ltr.report.figures import in_style
from ltr.report.findings import Verdicts, headline, untested_means
from ltr.report.formatting import percent, plus_minus, replicates, spread
from ltr.report.page import drawings
from ltr.report.page.drawings import Drawing
from ltr.report.page.svg import inline
from ltr.report.progress import duration
from ltr.store.chains import has_result
from ltr.store.looks import Look

MOST_CURVES = 5
"""Largest number of densities whose learning curves are shown, the dense network's included."""


class Subject(NamedTuple):
    """Data of a run for its page.

    Attributes:
        name: name of the run folder.
        title: network and data set as papers write them.
        info: contents of `run.json`.
        experiment: the requested experiment.
        settings: knobs that differ from their defaults, by dotted name.
        results, metrics, timings: requested rows of the run's tables.
        verdicts: verdicts on the claims.
        looks: all looks at the run.
        layers: weights of each ticket by layer (`ltr.analysis.mask_structure.weights_by_layer`); empty if
            checkpoints are lost.
        last: last ticket of each replicate; empty if checkpoints are lost.
        image: height, width and channels of the images; None if the data set is no longer available.
        variances: variance of crossed trainings; empty if none are crossed.
    """

    name: str
    title: str
    info: Mapping[str, Any]
    experiment: Experiment
    settings: Mapping[str, Any]
    results: pd.DataFrame
    metrics: pd.DataFrame
    timings: pd.DataFrame
    verdicts: Verdicts
    looks: Sequence[Look]
    layers: pd.DataFrame
    last: TicketLayers
    image: tuple[int, int, int] | None
    variances: Sequence[Variance] = ()


def page(subjects: Sequence[Subject], compared: pd.DataFrame | None = None) -> str:
    """Return the page of one or several runs, as HTML.

    Args:
        subjects: the runs.
        compared: table from `ltr.analysis.comparison.compare`, for several runs.
    """
    runs = [_run(subject, f"r{number}") for number, subject in enumerate(subjects)]
    return _template("page.html").render(
        title=subjects[0].title if len(subjects) == 1 else f"{len(subjects)} runs",
        runs=runs,
        compared=None if compared is None or not any(compared["n"]) else _compared(subjects, compared),
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
    """Return a `<data>` element with the exact value and its formatted text; empty for None and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Markup("")
    return Markup('<data value="{}">{}</data>').format(repr(value), shown)


def _run(subject: Subject, run_id: str) -> dict[str, Any]:
    results, experiment, verdicts = subject.results, subject.experiment, subject.verdicts
    summary = by_round(results)
    race_table = race_of(Searched(experiment, results, subject.timings))
    return {
        "id": run_id,
        "name": subject.name,
        "answer": headline(results, verdicts, experiment),
        "means": [
            *lost.sentences(results, experiment),
            cut_off.sentence(results),
            untested_means(results, raced(experiment)),
            *caveats(results, experiment),
        ],
        "title": subject.title,
        "claims": [_claim(name, rounds) for name, rounds in verdicts.items() if rounds],
        "matching": sparsest(verdicts.get("matches", [])),
        "tested": how_tested(subject.looks),
        "lost": any(verdict.lost for of_claim in verdicts.values() for verdict in of_claim),
        "spread": spread(summary["n"]) if len(summary) else "",
        "arms": [{"name": arm, "label": style.label} for arm, style in styles(summary["arm"]).items()],
        "parts": {f"arm-{arm}": style.label for arm, style in styles(summary["arm"]).items()},
        "rounds": _rounds(summary),
        "race": _race(race_table, run_id),
        "race_meaning": race.MEANING,
        "drawings": list(_drawings(subject, run_id, race_table.empty)),
        "facts": _facts(subject),
        "command": command(subject.settings, experiment.dataset),
        "settings": {name: literal(value) for name, value in subject.settings.items()},
    }


def _claim(name: str, rounds: Sequence[Verdict]) -> dict[str, Any]:
    counts = sorted({verdict.n for verdict in rounds})
    return {
        "says": CLAIMS[name].says,
        "in_short": CLAIMS[name].short,
        "n": "-".join(map(str, dict.fromkeys([counts[0], counts[-1]]))),
        "rounds": [_verdict(verdict) for verdict in rounds],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict with each number and its formatted text."""
    effect, unit, p = verdict.effect, verdict.unit, verdict.p
    return {
        "density": (verdict.density, f"{percent(verdict.density)} %"),
        "verdict": verdict.verdict,
        "effect": (effect, _effect(effect, unit)),
        "in_short": "–" if math.isnan(effect) else _in_short(effect, unit),
        "unit": "pp" if unit == "fraction" else "log₂",
        "has_interval": not math.isnan(verdict.low),
        "low": (verdict.low, _effect(verdict.low, unit)),
        "high": (verdict.high, _effect(verdict.high, unit)),
        "p": (p, "< 0.001" if p < 0.001 else f"{p:.3f}"),
        "n": (verdict.n, str(verdict.n)),
        "lost": (verdict.lost, f"{verdict.lost} lost"),
        "disconnected": (verdict.disconnected, f"{verdict.disconnected} without a path"),
        "needed": (verdict.needed, f"n ≈ {verdict.needed} needed"),
    }


def _in_short(effect: float, unit: str) -> str:
    return _effect(effect, unit) if unit == "fraction" else f"×{2**effect:.2f}"


def _effect(value: float, unit: str) -> str:
    """Format an effect with its sign; U+2212 as the minus, which is as wide as the plus."""
    return f"{100 * value if unit == 'fraction' else value:+.2f}".replace("-", "−")


def _rounds(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row for each round with a cell for each arm."""
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
        "diverged": (row["diverged"], f"{row['diverged']} of {row['lanes']} diverged"),
    }


def _race(table: pd.DataFrame, run_id: str) -> list[dict[str, Any]]:
    """Return the race at each density: its title, figure, rows and sentences."""
    densities = []
    for round_number, frame in table.groupby("round", sort=False):
        rows = frame.to_dict("records")
        with in_style():
            drawing = drawings.race(frame) if race_figure.can_be_drawn(frame) else None
        densities.append(
            {
                "title": race.title(rows),
                "drawing": drawing and _figure(drawing, f"{run_id}-race-{round_number}"),
                "rows": [_racer(row) for row in rows],
                "sentences": [race.conclusion(rows), *race.remarks(rows)],
            }
        )
    return densities


_BADGES = {AS_GOOD: SUPPORTED, WORSE: REFUTED, UNDECIDED: UNDECIDED}
"""Classes of the verdicts of a race, those of the verdicts on claims."""


def _racer(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a method with each number and its formatted text."""
    name, accuracy, cost, seconds, less, difference, verdict = race.cells(row, has_others=False)
    return {
        "name": name,
        "accuracy": (row["accuracy"], accuracy),
        "cost": (row["cost"], cost.strip()),
        "seconds": (row["cost_seconds"], seconds),
        "less": (row["times_less"], less),
        "difference": (row["difference"], difference),
        "verdict": verdict,
        "badge": _BADGES.get(verdict, ""),
    }


def _drawings(subject: Subject, run_id: str, with_cost: bool) -> Iterator[dict[str, Any]]:
    with in_style():
        for drawing in _drawn(subject, with_cost):
            yield _figure(drawing, f"{run_id}-{drawing.name}")


def _figure(drawing: Drawing, name: str) -> dict[str, Any]:
    """Return a figure for the template, with the id `name`."""
    return {
        "name": name,
        "title": drawing.title,
        "caption": drawing.caption,
        "choices": drawing.choices,
        "svg": Markup(inline(drawing.figure, name, drawing.alt, drawing.tooltips)),
    }


def _drawn(subject: Subject, with_cost: bool) -> Iterator[Drawing]:
    """Yield the figures of a run; `with_cost`: with that of the search's cost, which a race says more of."""
    results = subject.results[has_result(subject.results)]
    if results.empty:
        return
    last = int(results["round"].max())
    rounds = set(results.loc[results["arm"] == "ticket", "round"])
    verdicts = [verdict for of_claim in subject.verdicts.values() for verdict in of_claim]
    tested = sorted(rounds & {verdict.round for verdict in verdicts})
    meaning = (
        "at densities where claims are tested, and at the last" if tested else "at the first and last density"
    )
    yield from drawings.against_density(results)
    yield drawings.learning(subject.metrics, _thinned(sorted({min(rounds), max(rounds), *tested})), meaning)
    if (
        with_cost and last and not subject.experiment.ticket
    ):  # the cost of another run's tickets is not in this run
        yield drawings.by_cost(results)
    if crossed := [one for one in subject.variances if one.shares]:
        yield drawings.variance(crossed)
    if len(subject.last) and last:
        yield from drawings.connections(subject.layers, subject.last, subject.image)


def _thinned(rounds: Sequence[int]) -> list[int]:
    """Select at most `MOST_CURVES` rounds, evenly spaced, with the first and the last."""
    positions = np.linspace(0, len(rounds) - 1, min(MOST_CURVES, len(rounds)))
    return [rounds[position] for position in positions.round().astype(int)]


def _facts(subject: Subject) -> dict[str, str]:
    """Return facts about how the run was trained, by name."""
    info = subject.info
    session = (info.get("sessions") or [{}])[-1]
    versions, devices = session.get("versions", {}), session.get("devices", {})
    seconds = float(subject.timings["seconds"].sum())
    lanes = len(subject.results)
    return {
        "run": f"{subject.name}, {info.get('status', '')}",
        "trained": f"{number_of(lanes, 'network')} in {duration(seconds)} of device time",
        "pace": _pace(subject),
        "seeds": f"root seed {subject.experiment.seed}; {replicates([subject.experiment.replicates])}",
        "devices": ", ".join(f"{name} {value}" for name, value in devices.items()),
        "versions": ", ".join(f"{name} {value}" for name, value in versions.items()),
        "began": str((info.get("sessions") or [{}])[0].get("began", "")),
    }


def _pace(subject: Subject) -> str:
    """Return the duration of a training in the first and the last round; pruned layers may cost less."""
    seconds = subject.timings.groupby("round")["seconds"].median()
    densities = subject.results.groupby("round")["density"].mean()
    times = [
        f"{seconds[round_number]:.3g} s at {percent(densities[round_number])} %"
        for round_number in sorted({*seconds.index[:1], *seconds.index[-1:]} & set(densities.index))
    ]
    return f"a training took {', '.join(times)} of the weights" if times else ""


def _value(knobs: Mapping[str, Any], name: str) -> str:
    """Return the value of a knob of a run in a comparison; a dash for a run without the knob's arm."""
    if name not in knobs:
        return "–"
    return "default" if knobs[name] is None else literal(knobs[name])


def _compared(subjects: Sequence[Subject], rows: pd.DataFrame) -> dict[str, Any]:
    """Return the comparison of several runs for the template."""
    settings = [subject.settings for subject in subjects]
    names = differing_names(settings)
    with in_style():
        drawing = drawings.side_by_side(rows, [comparison.letter(n) for n in range(len(subjects))])
        figure = _figure(drawing, drawing.name)
    return {
        "knobs": names,
        "runs": [
            {
                "letter": comparison.letter(number),
                "name": subject.name,
                "id": f"r{number}",
                "values": [_value(knobs, name) for name in names],
            }
            for number, (subject, knobs) in enumerate(zip(subjects, differing(settings), strict=True))
        ],
        "drawing": figure,
        "diverged": comparison.diverged(rows),
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
