"""Text tables of a run: a line for each round, a column for each arm, at most 80 characters wide.

Arms that do not fit side by side continue in another table or, for a single row, on another line.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ltr.analysis.statistics import ROUNDING
from ltr.analysis.summary import density
from ltr.report.arms import in_order
from ltr.report.formatting import spread
from ltr.report.text_table import WIDTH, Column, table

_BEFORE = (Column("round", is_number=True, width=5), Column("density", is_number=True, width=8))
"""Columns before those of the arms."""

_GAP = 1
_MARGIN = sum(column.width + _GAP for column in _BEFORE if column.width)
_CELL = 15

Row = Mapping[Hashable, Any]
Cell = Callable[[Row, float], str]
"""Formats a cell from a row of a summary and the highest accuracy of its round."""


def accuracy(row: Row, highest: float) -> str:
    """Accuracy at early stop in %, with a `*` if it is the highest of its round, `!` if lanes diverged."""
    mark = "*" if row["accuracy"] > highest - ROUNDING else ""
    mark += "!" if row["diverged"] else ""
    if math.isnan(row["accuracy"]):
        return f"     -{mark}"
    return f"{100 * row['accuracy']:6.2f}{_interval(100 * row['accuracy_ci95'], 2)}{mark}"


def early_stop(row: Row, highest: float) -> str:
    """Early-stop step; if a lane is censored, the mean is a lower bound: `>` before it and no interval."""
    if math.isnan(row["early_stop_step"]):
        return "     -"
    if row["censored"]:
        return f"> {row['early_stop_step']:.0f}".rjust(6)
    return f"{row['early_stop_step']:6.0f}{_interval(row['early_stop_step_ci95'], 0)}"


def accuracy_table(summary: pd.DataFrame) -> str:
    """Table of the accuracy at early stop, from a summary by round."""
    return f"{accuracy_title(summary)}\n{_table(summary, accuracy)}"


def accuracy_title(summary: pd.DataFrame) -> str:
    """Title of an accuracy table."""
    diverged = "; ! without diverged lanes" if summary["diverged"].any() else ""
    return f"Test accuracy at early stop in % ({spread(summary['n'])}; * highest{diverged})"


def early_stop_table(summary: pd.DataFrame) -> str:
    """Table of the early-stop step, from a summary by round."""
    bound = "; > a lower bound" if summary["censored"].any() else ""
    return f"Early-stop step ({spread(summary['n'])}{bound})\n{_table(summary, early_stop)}"


def early_bird(row: Row, highest: float) -> str:
    """Early-bird step, or `-`."""
    return "     -" if math.isnan(row["early_bird_step"]) else f"{row['early_bird_step']:6.0f}"


def other_tables(summary: pd.DataFrame, with_early_bird: bool) -> Iterator[str]:
    """Yield the tables of early stops and, on request, of early-bird steps, from a summary by round."""
    yield early_stop_table(summary)
    if with_early_bird:
        title = "Step from which the next ticket's mask hardly changes (mean; - not reached)"
        yield f"{title}\n{_table(summary[summary['arm'] == 'ticket'], early_bird)}"


def header(arms: Sequence[str]) -> str:
    """Heading of a table with a column for each arm."""
    return _lines([column.title for column in _BEFORE], {arm: f" {arm}" for arm in arms}, arms)


def row(rows: pd.DataFrame, arms: Sequence[str], cell: Cell = accuracy) -> str:
    """Line of one round in a table under `header(arms)`.

    Args:
        rows: rows of one round of a summary by round.
        arms: columns; blank for an arm that the round lacks.
        cell: formats a cell.
    """
    highest = rows["accuracy"].max() if len(rows) > 1 else math.nan
    cells = {record["arm"]: cell(record, highest) for record in rows.to_dict("records")}
    return _lines([f"{rows['round'].iloc[0]}", f"{100 * density(rows):.2f} %"], cells, arms)


def _table(summary: pd.DataFrame, cell: Cell) -> str:
    """Return a table for as many arms as fit side by side, each with the rounds that train any of them."""
    rounds = [(set(rows["arm"]), rows) for _, rows in summary.groupby("round")]
    return "\n\n".join(
        "\n".join(
            [header(page), *(row(rows, page, cell) for arms, rows in rounds if arms.intersection(page))]
        )
        for page in _pages(in_order(summary["arm"]))
    )


def _lines(before: Sequence[str], cells: Mapping[str, str], arms: Sequence[str]) -> str:
    """Lay out the cells of the arms on as many lines as they need, without blank lines at the end."""
    first, *others = ([cells.get(arm, "") for arm in page] for page in _pages(arms))
    while others and not any(others[-1]):
        others.pop()
    rows = [[*before, *first], *(["" for _ in before] + page for page in others)]
    columns = [*_BEFORE, *(Column(width=_width(arms)) for _ in first)]
    return table(columns, rows, gap=_GAP, has_titles=False)


def _pages(arms: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split the arms into groups that fit side by side."""
    fitting = max(1, (WIDTH - _MARGIN + _GAP) // (_width(arms) + _GAP))
    return (arms[start : start + fitting] for start in range(0, len(arms), fitting))


def _width(arms: Sequence[str]) -> int:
    return max([_CELL, *(len(arm) + 1 for arm in arms)])


def _interval(half_width: float, decimals: int) -> str:
    return "" if math.isnan(half_width) else f" ± {half_width:.{decimals}f}"
