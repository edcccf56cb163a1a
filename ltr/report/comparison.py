"""Runs side by side, as text and as Markdown."""

import math
import string
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ltr.analysis.inference import LEVEL
from ltr.report.command_line import word
from ltr.report.formatting import plus_minus, replicates
from ltr.report.text_table import WIDTH, Column, table

UNBROKEN: Any = {"break_on_hyphens": False, "break_long_words": False}

LETTERS = string.ascii_uppercase

COLUMNS = ("density", "run", "accuracy", "early stop", "difference from A", "at A's", "n")


def differing(settings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The knobs, by dotted name, in which runs differ; None where one has its default."""
    names = sorted({name for one in settings for name in one})
    apart = [name for name in names if any(one.get(name) != settings[0].get(name) for one in settings)]
    return [{name: one.get(name) for name in apart} for one in settings]


def text(runs: Sequence[Mapping[str, Any]], rows: pd.DataFrame, arm: str, shared: str) -> str:
    """A line a run with the knobs in which they differ, and a table, at most 80 columns wide.

    Args:
        runs: `run`, its folder; whether it is `paired`; and what `differing` gave.
        rows: what `ltr.analysis.comparison.compare` gave.
        arm: whose.
        shared: which replicates are left out, if any are.
    """
    lines = [
        _title(arm),
        "(* beyond chance, all taken together; > a lower bound; at A's: the density of",
        "A that is nearest; n: replicates of the mean, in brackets of the difference if",
        "fewer)",
        *([shared] if shared else []),
        table([Column(name, is_number=True) for name in COLUMNS], map(_cells, rows.to_dict("records"))),
    ]
    return "\n".join([*_runs(runs), "", *lines])


def markdown(runs: Sequence[Mapping[str, Any]], rows: pd.DataFrame, arm: str, shared: str) -> str:
    """The same in Markdown."""
    title = f"{_title(arm)}; {shared}:" if shared else f"{_title(arm)}:"
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---:|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows.to_dict("records")]
    return "\n".join([*(f"- {one}" for one in _runs(runs, 10**6)), "", title, "", *lines])


def letter(place: int) -> str:
    """A, B, ..., Z, then numbers."""
    return LETTERS[place] if place < len(LETTERS) else str(place + 1)


def _title(arm: str) -> str:
    return f"{arm}: test accuracy at early stop in %, mean ± 95 % CI"


def _runs(runs: Sequence[Mapping[str, Any]], width: int = WIDTH) -> list[str]:
    return [_run(place, **one, width=width) for place, one in enumerate(runs)]


def _run(place: int, run: str, paired: bool, width: int, **knobs: Any) -> str:
    said = [f"{name}={'default' if value is None else word(value)}" for name, value in knobs.items()]
    how = [] if place == 0 else ["paired with A" if paired else "not paired with A"]
    more = textwrap.wrap(
        "  ".join([*how, *said]), width, initial_indent="   ", subsequent_indent="   ", **UNBROKEN
    )
    return "\n".join([f"{letter(place)}  {run}", *more])


def _cells(row: Mapping[Any, Any]) -> list[str]:
    bound = "> " if row["censored"] else ""
    return [
        f"{100 * row['density']:.2f} %",
        letter(row["run"]),
        plus_minus(100 * row["accuracy"], 100 * row["accuracy_ci95"]),
        f"{bound}{row['early_stop_step']:.0f}",
        _difference(row["difference"], row["difference_ci95"], row["p"]),
        "" if math.isnan(row["beside_density"]) else f"{100 * row['beside_density']:.2f} %",
        _n(row),
    ]


def _n(row: Mapping[Any, Any]) -> str:
    """Of the mean; of the difference too, where that is of fewer."""
    is_whole = math.isnan(row["difference"]) or row["difference_n"] == row["n"]
    return str(row["n"]) if is_whole else f"{row['n']} ({row['difference_n']})"


def shared_replicates(counts: Sequence[int], compared: Sequence[int]) -> str:
    """Says that runs have more replicates than are compared; nothing where all of them are.

    Args:
        counts: the replicates of each run.
        compared: those of them that are compared.
    """
    left_out = [
        f"{letter(place)} has {count}"
        for place, (count, of_them) in enumerate(zip(counts, compared, strict=True))
        if of_them < count
    ]
    if not left_out:
        return ""
    return f"over the {replicates([compared[0]])} that paired runs share ({', '.join(left_out)})"


def _difference(mean: float, half_width: float, p: float) -> str:
    if math.isnan(mean):
        return ""
    mark = "*" if p < LEVEL else ""
    return f"{'+' if mean >= 0 else ''}{plus_minus(100 * mean, 100 * half_width)}{mark}"
