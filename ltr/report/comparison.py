"""Comparison of runs, as text and as Markdown."""

import math
import string
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ltr.analysis.inference import LEVEL
from ltr.config.literals import literal
from ltr.report.formatting import plus_minus, replicates
from ltr.report.text_table import WIDTH, Column, table

_UNBROKEN: Any = {"break_on_hyphens": False, "break_long_words": False}

LETTERS = string.ascii_uppercase

COLUMNS = ("density", "run", "accuracy", "early stop", "difference from A", "at A's", "n")


def text(runs: Sequence[Mapping[str, Any]], rows: pd.DataFrame, arm: str, shared: str) -> str:
    """Return the runs with the knobs in which they differ, and a table, at most 80 characters wide.

    Args:
        runs: for each run `run`, its folder; `paired`; and its knobs (`ltr.report.differing.differing`).
        rows: table from `ltr.analysis.comparison.compare`.
        arm: the compared arm.
        shared: text from `shared_replicates`.
    """
    lines = [
        _title(arm),
        "(* significant, corrected over rounds; > a lower bound; at A's: nearest density",
        "of A; n: replicates of the mean, in brackets those of the difference if fewer)",
        *[remark for remark in (shared, diverged(rows)) if remark],
        table([Column(name, is_number=True) for name in COLUMNS], map(_cells, rows.to_dict("records"))),
    ]
    return "\n".join([*named(runs), "", *lines])


def markdown(runs: Sequence[Mapping[str, Any]], rows: pd.DataFrame, arm: str, shared: str) -> str:
    """Return the same as `text` in Markdown."""
    title = "; ".join(part for part in (_title(arm), shared, diverged(rows)) if part) + ":"
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---:|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows.to_dict("records")]
    return "\n".join([*(f"- {run}" for run in named(runs, 10**6)), "", title, "", *lines])


def letter(run: int) -> str:
    """Letter of a run: A, B, ..., Z, then numbers."""
    return LETTERS[run] if run < len(LETTERS) else str(run + 1)


def _title(arm: str) -> str:
    return f"{arm}: test accuracy at early stop in %, mean ± 95 % CI"


def diverged(rows: pd.DataFrame) -> str:
    """Return a phrase about the diverged lanes of each run; empty if there are none."""
    counts = {run: int(rows.loc[rows["run"] == run, "diverged"].sum()) for run in sorted(set(rows["run"]))}
    left_out = [f"{letter(run)} {count}" for run, count in counts.items() if count]
    return f"without diverged lanes ({', '.join(left_out)}), which may bias differences" if left_out else ""


def named(runs: Sequence[Mapping[str, Any]], width: int = WIDTH) -> list[str]:
    """Return each run with its letter and the knobs in which it differs; arguments as of `text`."""
    return [_run(number, **run, width=width) for number, run in enumerate(runs)]


def _run(number: int, run: str, paired: bool, width: int, **knobs: Any) -> str:
    values = [f"{name}={'default' if value is None else literal(value)}" for name, value in knobs.items()]
    pairing = [] if number == 0 else ["paired with A" if paired else "not paired with A"]
    details = textwrap.wrap(
        "  ".join([*pairing, *values]), width, initial_indent="   ", subsequent_indent="   ", **_UNBROKEN
    )
    return "\n".join([f"{letter(number)}  {run}", *details])


def _cells(row: Mapping[Any, Any]) -> list[str]:
    bound, has_result = "> " if row["censored"] else "", row["n"] > 0
    return [
        f"{100 * row['density']:.2f} %",
        letter(row["run"]),
        plus_minus(100 * row["accuracy"], 100 * row["accuracy_ci95"]) if has_result else "-",
        f"{bound}{row['early_stop_step']:.0f}" if has_result else "-",
        _difference(row["difference"], row["difference_ci95"], row["p"]),
        "" if math.isnan(row["beside_density"]) else f"{100 * row['beside_density']:.2f} %",
        _n(row),
    ]


def _n(row: Mapping[Any, Any]) -> str:
    """Format the number of replicates of the mean, and of the difference if it has fewer."""
    is_whole = math.isnan(row["difference"]) or row["difference_n"] == row["n"]
    return str(row["n"]) if is_whole else f"{row['n']} ({row['difference_n']})"


def shared_replicates(counts: Sequence[int], compared: Sequence[int]) -> str:
    """Return a phrase about replicates that are not compared; empty if all are.

    Args:
        counts: number of replicates of each run.
        compared: number of compared replicates of each run.
    """
    left_out = [
        f"{letter(run)} has {count}"
        for run, (count, used) in enumerate(zip(counts, compared, strict=True))
        if used < count
    ]
    if not left_out:
        return ""
    return f"over the {replicates([compared[0]])} that paired runs share ({', '.join(left_out)})"


def _difference(mean: float, half_width: float, p: float) -> str:
    if math.isnan(mean):
        return ""
    mark = "*" if p < LEVEL else ""
    return f"{'+' if mean >= 0 else ''}{plus_minus(100 * mean, 100 * half_width)}{mark}"
