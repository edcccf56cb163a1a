"""Runs as the lines of a table, with the knobs in which they differ."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ltr.errors import LtrError
from ltr.report import text_table
from ltr.report.command_line import word
from ltr.report.formatting import percent
from ltr.store.catalog import Run

LINE = text_table.WIDTH
"""Characters in a line of a table, on a terminal that is no wider."""

WIDEST = 16
"""Of a column of a knob."""

GAP = 1
"""Spaces between columns."""

WORDS = {"id": 10, "dataset": 13, "model": 13, "status": 8}
NUMBERS = {"rounds": 6, "reps": 4, "ticket": 7, "kept": 5, "age": 4}
"""The columns and their widths; with the spaces between they fit in `LINE`."""

SAID_BY_COLUMNS = {"dataset.name", "model.name", "rounds", "replicates"}
"""Knobs that have no column of their own."""

MOST_READ = 100
"""Runs of earlier releases, whose knobs are in `config.yaml` alone, which takes time to read."""

MOST_COMMANDS = 3
"""Unfinished runs whose commands are said."""


class Column(NamedTuple):
    """A column: its title, its width, and the cell of each run."""

    title: str
    width: int
    cells: Sequence[str]
    is_number: bool = False


def head(run: Run) -> dict[str, Any]:
    """What a run is and how far it is, as plain data."""
    return {
        "id": run.id,
        "folder": str(run.folder),
        "dataset": run.dataset,
        "model": run.model,
        "status": run.status,
        "command": run.goes_on_with,
        "written": run.written.isoformat(timespec="seconds"),
    }


def entry(run: Run) -> dict[str, Any]:
    """What a list says of a run, as plain data; `settings` only as far as `run.json` has them."""
    summary = run.info.get("summary") or {}
    return {
        **head(run),
        "rounds": summary.get("rounds_done"),
        "replicates": summary.get("replicates"),
        "density": summary.get("density"),
        "dense_accuracy": summary.get("dense_accuracy"),
        "ticket_accuracy": summary.get("ticket_accuracy"),
        "settings": run.info.get("settings"),
    }


def read_settings(runs: Sequence[Run], entries: Sequence[dict[str, Any]]) -> None:
    """Fill in the settings that `run.json` does not have; of one that cannot be read they stay None."""
    for run, one in zip(runs, entries, strict=True):
        if one["settings"] is None:
            try:
                one["settings"] = run.settings
            except LtrError:
                continue


def table(entries: Sequence[Mapping[str, Any]], width: int) -> tuple[str, list[str]]:
    """A line a run, and the knobs in which they differ for which there is no room.

    A data set or network that all of them have gives its room to such knobs.
    """
    knobs = _differing(entries)
    fixed = {name: [str(one[name]) for one in entries] for name in WORDS}
    shared = [name for name in ("dataset", "model") if knobs and len(set(fixed[name])) == 1]
    before = [Column(name, WORDS[name], cells) for name, cells in fixed.items() if name not in shared]
    after = _numbers(entries)
    room = width - sum(GAP + column.width for column in (*before, *after)) + GAP
    narrowest = sorted(knobs, key=lambda name: knobs[name].width)  # so that the most of them fit
    ends = itertools.accumulate(GAP + knobs[name].width for name in narrowest)
    left_out = [name for name, end in zip(narrowest, ends, strict=True) if end > room]
    between = [column for name, column in knobs.items() if name not in left_out]
    columns = [*before[:-1], *between, before[-1], *after]
    shown = [text_table.Column(column.title, column.is_number, column.width) for column in columns]
    lines = zip(*(column.cells for column in columns), strict=True)
    return text_table.table(shown, lines, gap=GAP, width=width), left_out


def remarks(entries: Sequence[Mapping[str, Any]], left_out: Sequence[str]) -> list[str]:
    """What a table has no room for: further knobs, and the commands that unfinished runs go on with."""
    said = []
    if left_out:
        also = f"they differ in more knobs (--json has them all): {', '.join(left_out)}"
        said.append(textwrap.fill(also, LINE, break_on_hyphens=False, max_lines=4))
    unfinished = [one for one in entries if one["command"]]
    if len(unfinished) > MOST_COMMANDS:
        said.append(f"{len(unfinished)} runs are not finished; ltr show RUN says with what each goes on")
    else:
        said += [f"{one['id']} {one['status']}; it goes on with:\n{one['command']}" for one in unfinished]
    return said


def _differing(entries: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """A column for each knob in which the runs differ, by its dotted name."""
    known = [one["settings"] for one in entries if one["settings"] is not None]
    names = {name for settings in known for name in settings} - SAID_BY_COLUMNS
    apart = [name for name in sorted(names) if any(one.get(name) != known[0].get(name) for one in known)]
    if not apart:
        return {}
    from ltr.store.settings import default  # and with it pydantic

    last_parts = [name.removesuffix(".name").rpartition(".")[2] for name in apart]
    columns = {}
    for name, short in zip(apart, last_parts, strict=True):
        title = short if last_parts.count(short) == 1 else name
        cells = [
            "-" if one["settings"] is None else word(one["settings"].get(name, default(name)))
            for one in entries
        ]
        columns[name] = Column(title, min(WIDEST, max(map(len, (title, *cells)))), cells, is_number=True)
    return columns


def _numbers(entries: Sequence[Mapping[str, Any]]) -> list[Column]:
    now = datetime.now(UTC)
    lines = [
        (
            "-" if one["rounds"] is None else str(one["rounds"]),
            "-" if one["replicates"] is None else str(one["replicates"]),
            "-" if one["ticket_accuracy"] is None else f"{100 * one['ticket_accuracy']:.2f} %",
            "-" if one["density"] is None else f"{percent(one['density'])} %",
            age(now - datetime.fromisoformat(one["written"])),
        )
        for one in entries
    ]
    return [
        Column(name, width, cells, is_number=True)
        for (name, width), cells in zip(NUMBERS.items(), zip(*lines, strict=True), strict=True)
    ]


def age(age: timedelta) -> str:
    """A time in the largest unit that fits: `45s`, `12m`, `3h`, `5d`."""
    seconds = int(age.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
