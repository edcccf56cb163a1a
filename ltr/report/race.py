"""The race of searches as text, as Markdown and in sentences."""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ltr.analysis.search_race import AS_GOOD, MARGIN, WORSE
from ltr.report.comparison import letter
from ltr.report.formatting import listed, percent, plus_minus, replicates
from ltr.report.text_table import WIDTH, Column, table

COLUMNS = ("method", "accuracy %", "cost", "s", "less", "from IMP", "verdict")

POINTS = f"{100 * MARGIN:g}"
"""The margin in percentage points."""

MEANING = (
    "Cost of the search for each mask, in trainings of the dense network (* nothing cheaper is as accurate) "
    "and in seconds (s); how many times less than of IMP, the ticket; difference from IMP in points. All "
    f"95 % intervals of differences hold together at a density; {AS_GOOD}: above -{POINTS}, {WORSE}: below 0."
)
"""What the columns mean, and what the verdicts."""


def text(race: pd.DataFrame, runs: Sequence[str] = ()) -> str:
    """Return a table for each density, at most 80 characters wide; empty without a race.

    Args:
        race: table from `ltr.analysis.search_race.search_race`.
        runs: texts that name the runs, shown if there are several.
    """
    if race.empty:
        return ""
    columns = [Column(name, is_number=0 < place < len(COLUMNS) - 1) for place, name in enumerate(COLUMNS)]
    parts = [textwrap.fill(f"Race of the searches. {MEANING}", WIDTH)]
    for rows in _by_density(race):
        lines = table(columns, (cells(row, _has_others(race)) for row in rows), gap=1)
        findings = (textwrap.fill(sentence, WIDTH) for sentence in (conclusion(rows), *remarks(rows)))
        parts.append("\n".join([title(rows), lines, *findings]))
    return "\n\n".join([*_several(runs), *parts])


def markdown(race: pd.DataFrame, runs: Sequence[str]) -> str:
    """Return the same as `text` in Markdown."""
    parts = [*_several([f"- {run}" for run in runs]), MEANING]
    for rows in _by_density(race):
        lines = [f"| {' | '.join(COLUMNS)} |", f"|---|{'---:|' * (len(COLUMNS) - 2)}---|"]
        lines += [f"| {' | '.join(map(str.strip, cells(row, _has_others(race))))} |" for row in rows]
        parts += [f"**{title(rows)}**", "\n".join(lines), " ".join([conclusion(rows), *remarks(rows)])]
    return "\n\n".join(parts)


def _several(runs: Sequence[str]) -> list[str]:
    """Return a paragraph that names the runs; none for a single run, whose methods do not name it."""
    return ["\n".join(runs)] if len(runs) > 1 else []


def title(rows: Sequence[Mapping[Any, Any]]) -> str:
    """Title of the table of a density."""
    counts = [row["n"] for row in rows]
    return f"{percent(rows[0]['density'])} % of the weights ({replicates(counts)})"


def cells(row: Mapping[Any, Any], has_others: bool) -> list[str]:
    """Return the texts of `COLUMNS` for a method.

    Args:
        row: row of the table from `ltr.analysis.search_race.search_race`.
        has_others: whether the race has methods of other runs, so that the run is named.
    """
    is_imp = not row["verdict"]
    return [
        name(row, has_others),
        plus_minus(100 * row["accuracy"], 100 * row["accuracy_ci95"]) if row["n"] else "-",
        cost(row["cost"]) + ("*" if row["on_front"] else " "),
        "?" if math.isnan(row["cost_seconds"]) else brief(row["cost_seconds"]),
        times(row["times_less"]),
        "" if is_imp else difference(row),
        "IMP" if is_imp else row["verdict"],
    ]


def name(row: Mapping[Any, Any], has_others: bool) -> str:
    """Return the name of a method, after the letter of its run if there are others."""
    return f"{letter(row['run'])} {row['arm']}" if has_others else str(row["arm"])


def cost(trainings: float) -> str:
    """Format a number of trainings of the dense network; `?` if it is unknown."""
    return "?" if math.isnan(trainings) else brief(trainings)


def brief(number: float) -> str:
    """Format a number to two decimals, or two digits if it is small: `0`, `0.0056`, `0.30`, `120`."""
    if number == 0:
        return "0"
    if number < 0.095:
        return f"{number:.2g}"
    return f"{number:.2f}" if number < 99.5 else f"{number:.0f}"


def times(factor: float) -> str:
    """Format how many times less a method costs: `1.8`, `530`; empty if it is unknown, or costs nothing."""
    if math.isnan(factor):
        return ""
    return f"{factor:.1f}" if factor < 99.5 else f"{float(f'{factor:.2g}'):.0f}"


def difference(row: Mapping[Any, Any]) -> str:
    """Format the difference of a method from IMP, in percentage points."""
    mean = 100 * row["difference"]
    if math.isnan(mean):
        return "-"
    return f"{'+' if mean >= 0 else ''}{plus_minus(mean, 100 * row['difference_interval'])}"


def conclusion(rows: Sequence[Mapping[Any, Any]]) -> str:
    """Say which of the methods that are as good as IMP costs least, or which is nearest to it."""
    has_others = any(row["run"] for row in rows)
    compared = [row for row in rows if row["verdict"] and row["pairs"]]
    good = [row for row in compared if row["verdict"] == AS_GOOD]
    within = f"as good as IMP (within {POINTS} points)"
    if good:
        phrases = [f"{name(row, has_others)}{_at_times_less(row)}" for row in good]
        return f"{_capital(within)}: {listed(phrases)}."
    if not compared:
        return "Nothing is compared with IMP yet."
    nearest = max(compared, key=lambda row: float(row["difference"]))
    return (
        f"No mask is known to be {within}; the nearest, {name(nearest, has_others)}"
        f"{_at_times_less(nearest)}, differs by {difference(nearest)} points."
    )


def remarks(rows: Sequence[Mapping[Any, Any]]) -> Iterator[str]:
    """Yield sentences about lanes without a result, unknown costs, and other densities."""
    has_others = any(row["run"] for row in rows)
    if lost := [f"{name(row, has_others)} {row['lost']}" for row in rows if row["lost"]]:
        yield f"Replicates without a result, which may bias means and differences: {', '.join(lost)}."
    unknown = [name(row, has_others) for row in rows if row["n"] and math.isnan(row["cost"])]
    if unknown:
        yield (
            f"Unknown cost: {', '.join(unknown)}. The tickets are of another run, or the version of ltr that "
            "trained them did not count it."
        )
    others = [
        f"{name(row, has_others)} {100 * row['arm_density']:.2f} %"
        for row in rows
        if row["n"] and not math.isclose(row["arm_density"], row["density"], rel_tol=0.01)
    ]
    if others:
        yield f"Other densities: {', '.join(others)}."


def _at_times_less(row: Mapping[Any, Any]) -> str:
    """Say how many times less a method costs than IMP."""
    if row["cost"] == 0:
        return ", which costs nothing"
    less = row["times_less"]
    if math.isnan(less):
        return ""
    return f" at {times(less)} times less" if less >= 1 else f" at {times(1 / less)} times the cost"


def _by_density(race: pd.DataFrame) -> Iterator[list[dict[Any, Any]]]:
    for _, rows in race.groupby("density", sort=False):
        yield rows.to_dict("records")


def _has_others(race: pd.DataFrame) -> bool:
    return bool(race["run"].any())


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
