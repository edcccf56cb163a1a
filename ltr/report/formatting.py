"""Formats of numbers, shared by all tables, figures and sentences."""

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def without_nan(record: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the record with None for NaN, which JSON cannot express."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in record.items()
    }


def plain_rows(table: "pd.DataFrame") -> list[dict[Any, Any]]:
    """Return the rows of a table by column, with None for NaN."""
    return [without_nan(row) for row in table.to_dict("records")]


def percent(density: float) -> str:
    """Format a density in % to two significant digits, without the sign: 0.512 is `51`, 0.0358 is `3.6`."""
    value = 100 * density
    return f"{value:.0f}" if value >= 9.95 else f"{value:#.2g}"


def plus_minus(mean: float, half_width: float) -> str:
    """Format a mean with its half-width to two decimals, as in `98.12 ± 0.20`; without a NaN half-width."""
    return f"{mean:.2f}" if math.isnan(half_width) else f"{mean:.2f} ± {half_width:.2f}"


def replicates(counts: Iterable[int]) -> str:
    """Format a range of numbers of replicates: `1 replicate`, `3 replicates`, `0-3 replicates`."""
    fewest, most = min(counts := list(counts)), max(counts)
    number = str(most) if fewest == most else f"{fewest}-{most}"
    return f"{number} replicate{'' if most == 1 else 's'}"


def spread(counts: Iterable[int]) -> str:
    """Describe means over some numbers of replicates, and their intervals."""
    counts = list(counts)
    most = max(counts)
    return f"mean ± 95 % CI, {replicates(counts)}" if most > 1 else f"{replicates([most])}, no interval"


def memory(count: int) -> str:
    """Format a number of bytes: `0.5 MiB`, `12 MiB`, `1.5 GiB`, `80 GiB`."""
    size, unit = (count / 2**30, "GiB") if count >= 2**30 else (count / 2**20, "MiB")
    return f"{size:.0f} {unit}" if size >= 9.95 else f"{size:.1f} {unit}"


def ranges(numbers: Iterable[int]) -> str:
    """Format ascending whole numbers as in `0`, `0 to 15`, `0, 15`, `0 to 3, 7`."""
    steps = itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    runs = [[number for _, number in step] for _, step in steps]
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def listed(words: Iterable[str]) -> str:
    """Join words to a list in a sentence: `51`, `51 and 21`, `51, 21 and 11`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
