"""List of runs, as plain data and as a table with the knobs in which they differ."""

import contextlib
import itertools
import operator
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ltr.config.literals import literal
from ltr.core.plural import number_of
from ltr.errors import LtrError
from ltr.report import text_table
from ltr.report.differing import concerns, differing_names
from ltr.report.formatting import percent
from ltr.store import listed
from ltr.store.catalog import Run, each_run, read, recency

LINE = text_table.WIDTH
"""Width of a table, in characters, on a terminal of the usual width."""

WIDEST = 16
"""Largest width of the column of a knob."""

GAP = 1
"""Spaces between columns."""

WORDS = {"id": 10, "dataset": 13, "model": 13, "status": 8}
"""Columns of words, and their widths."""

NUMBERS = {"rounds": 6, "reps": 4, "ticket": 7, "kept": 5, "age": 4}
"""Columns of numbers, and their widths. All columns, with the spaces between them, fit in `LINE`."""

FIXED_COLUMNS = {"dataset.name", "model.name", "rounds", "replicates"}
"""Knobs that the other columns show already."""

MOST_READ = 100
"""Largest number of runs whose knobs are read from `config.yaml`, which is slow.

Only runs of earlier releases lack them in `run.json`.
"""

MOST_COMMANDS = 3
"""Largest number of runs about which a note of the same kind is printed one by one."""


class Column(NamedTuple):
    """Column of a table: title, width in characters, and the cell of each run."""

    title: str
    width: int
    cells: Sequence[str]
    is_number: bool = False


def head(run: Run) -> dict[str, Any]:
    """Return a run's identity and status, as plain data."""
    return {
        "id": run.id,
        "folder": str(run.folder),
        "dataset": run.dataset,
        "model": run.model,
        "status": run.status,
        "error": run.error,
        "command": run.resume_command,
        "obstacle": run.obstacle,
        "written": run.written.isoformat(timespec="seconds"),
    }


def entry(run: Run) -> dict[str, Any]:
    """Return a run's entry in a list, as plain data; `settings` is None if `run.json` lacks them."""
    summary = run.info.get("summary") or {}
    return {
        **head(run),
        "rounds": summary.get("rounds_done"),
        "replicates": summary.get("replicates"),
        "diverged": summary.get("diverged"),
        "ended": summary.get("ended"),
        "density": summary.get("density"),
        "dense_accuracy": summary.get("dense_accuracy"),
        "ticket_accuracy": summary.get("ticket_accuracy"),
        "settings": run.info.get("settings"),
    }


def entries(output_root: Path) -> list[dict[str, Any]]:
    """Return the entries of the runs below an output root, most recently written first."""
    dated = [(recency(run), entry(run)) for run in each_run(output_root, listed.from_json)]
    return [run_entry for _, run_entry in sorted(dated, key=operator.itemgetter(0))]


def read_settings(entries: Sequence[dict[str, Any]]) -> None:
    """Fill in the settings that `run.json` lacks; they stay None for a run that cannot be read."""
    for run_entry in entries:
        if run_entry["settings"] is None:
            with contextlib.suppress(LtrError, OSError):
                run_entry["settings"] = read(Path(run_entry["folder"])).settings


def table(entries: Sequence[Mapping[str, Any]], width: int) -> tuple[str, list[str]]:
    """Return a table with a line for each run, and the differing knobs that have no room in it.

    A data set or network that all runs share is left out, to make room for knobs.
    """
    knobs = _differing(entries)
    fixed = {name: [str(run[name]) for run in entries] for name in WORDS}
    shared = [name for name in ("dataset", "model") if knobs and len(set(fixed[name])) == 1]
    before = [Column(name, WORDS[name], cells) for name, cells in fixed.items() if name not in shared]
    after = _numbers(entries)
    room = width - sum(GAP + column.width for column in (*before, *after)) + GAP
    narrowest = sorted(knobs, key=lambda name: knobs[name].width)  # in this order most knobs fit
    ends = itertools.accumulate(GAP + knobs[name].width for name in narrowest)
    left_out = [name for name, end in zip(narrowest, ends, strict=True) if end > room]
    between = [column for name, column in knobs.items() if name not in left_out]
    columns = [*before[:-1], *between, before[-1], *after]
    shown = [text_table.Column(column.title, column.is_number, column.width) for column in columns]
    lines = zip(*(column.cells for column in columns), strict=True)
    return text_table.long_table(shown, lines, gap=GAP), left_out


def remarks(entries: Sequence[Mapping[str, Any]], left_out: Sequence[str]) -> list[str]:
    """Return notes below a table: knobs without a column, lanes without a result, and what unfinished runs
    need to go on.
    """
    notes = []
    if left_out:
        others = f"they also differ in knobs without a column (--json has all): {', '.join(left_out)}"
        notes.append(textwrap.fill(others, LINE, break_on_hyphens=False, max_lines=4))
    lacking = [run for run in entries if run["diverged"] or run["ended"]]
    if len(lacking) > MOST_COMMANDS:
        notes.append(f"in {len(lacking)} runs lanes diverged or replicates ended; ltr show RUN says which")
    else:
        notes += [f"{run['id']} {_lacking(run['diverged'], run['ended'])}" for run in lacking]
    unfinished = [run for run in entries if run["command"]]
    if len(unfinished) > MOST_COMMANDS:
        notes.append(
            f"{len(unfinished)} runs are not finished; ltr show RUN prints the command that resumes one"
        )
    else:
        notes += [f"{run['id']} {ended(run)}; resume it with:\n{run['command']}" for run in unfinished]
    stuck = [run for run in entries if run["obstacle"]]
    if len(stuck) > MOST_COMMANDS:
        notes.append(f"{len(stuck)} runs cannot be resumed; ltr show RUN names the plug-in that one lacks")
    else:
        notes += [f"{run['id']} {ended(run)}; cannot be resumed: {run['obstacle']}" for run in stuck]
    return notes


def ended(head: Mapping[str, Any]) -> str:
    """Return the status of a run, and the error that it failed by."""
    return f"{head['status']} ({head['error']})" if head["error"] else str(head["status"])


def _lacking(diverged: int, ended: int) -> str:
    """Say how many lanes diverged and how many replicates ended early."""
    parts = [
        f"{number_of(count, noun)} {verb}"
        for count, noun, verb in ((diverged, "lane", "diverged"), (ended, "replicate", "ended early"))
        if count
    ]
    return ", ".join(parts)


def _differing(entries: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Return a column for each knob in which the runs differ, by its dotted name; `-`: no such arm."""
    known = [run["settings"] for run in entries if run["settings"] is not None]
    names = [name for name in differing_names(known) if name not in FIXED_COLUMNS]
    if not names:
        return {}
    from ltr.store.settings import default  # imports pydantic

    last_parts = [name.removesuffix(".name").rpartition(".")[2] for name in names]
    columns = {}
    for name, short in zip(names, last_parts, strict=True):
        title = short if last_parts.count(short) == 1 else name
        others = default(name)
        cells = [
            "-"
            if run["settings"] is None or not concerns(name, run["settings"])
            else literal(run["settings"].get(name, others))
            for run in entries
        ]
        columns[name] = Column(title, min(WIDEST, max(map(len, (title, *cells)))), cells, is_number=True)
    return columns


def _numbers(entries: Sequence[Mapping[str, Any]]) -> list[Column]:
    now = datetime.now(UTC)
    lines = [
        (
            "-" if run["rounds"] is None else str(run["rounds"]),
            "-" if run["replicates"] is None else str(run["replicates"]),
            "-" if run["ticket_accuracy"] is None else f"{100 * run['ticket_accuracy']:.2f} %",
            "-" if run["density"] is None else f"{percent(run['density'])} %",
            age(now - datetime.fromisoformat(run["written"])),
        )
        for run in entries
    ]
    return [
        Column(name, width, cells, is_number=True)
        for (name, width), cells in zip(NUMBERS.items(), zip(*lines, strict=True), strict=True)
    ]


def age(elapsed: timedelta) -> str:
    """Format a duration in the largest unit that fits: `45s`, `12m`, `3h`, `5d`."""
    seconds = int(elapsed.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
