"""List the runs below an output root, or some of them, the most recent first."""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ltr.commands.conditions import condition
from ltr.commands.found import add_output_root
from ltr.report import stdout
from ltr.report.numbers import percent
from ltr.store.catalog import Run, all_runs

EPILOG = """\
examples:
  ltr ls --output-root outputs
  ltr ls --where dataset=mnist --where 'kept<0.1' --sort ticket

`reps` are replicates; `ticket` is the mean test accuracy at early stop of the
sparsest ticket, `kept` the weights that it keeps, and `age` the time since the
run was last written.

--where compares (=, !=, <, <=, >, >=) a column with a value, accuracies and
densities as fractions; given more than once, all have to hold. --sort orders
by a column: words by the alphabet, numbers from the highest down, runs that
have none last.

With --json a list of objects with the keys id, folder,
dataset, model, status, written, rounds, replicates, density, dense_accuracy
and ticket_accuracy, null where a run has no such number yet; accuracies and
densities are fractions."""

WORDS = {"id": 10, "dataset": 13, "model": 13, "status": 8}
NUMBERS = {"rounds": 6, "reps": 4, "ticket": 7, "kept": 5, "age": 4}
"""The columns and their widths; with the spaces between they fit in 80."""

KEYS = {"reps": "replicates", "ticket": "ticket_accuracy", "kept": "density"}
"""Those of the numbers that JSON has another name for."""

COMPARED = [name for name in NUMBERS if name != "age"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_output_root(parser)
    parser.add_argument(
        "--where", action="append", default=[], metavar="CONDITION", help="list only runs of which this holds"
    )
    parser.add_argument("--sort", choices=[*WORDS, *COMPARED], help="the column to order by")
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Print the list."""
    conditions = [condition(text, WORDS, COMPARED) for text in args.where]
    named = [condition._replace(name=_key(condition.name)) for condition in conditions]
    entries = [_entry(run) for run in all_runs(args.output_root)]
    entries = [entry for entry in entries if all(condition.holds(entry) for condition in named)]
    if args.sort:
        entries.sort(key=_by_words(args.sort) if args.sort in WORDS else _by_number(_key(args.sort)))
    if args.json:
        stdout.write(json.dumps(entries, indent=2))
    elif entries:
        now = datetime.now(UTC)
        stdout.write("\n".join([_columns(WORDS, NUMBERS), *(_line(entry, now) for entry in entries)]))
    else:
        such = "such " if conditions else ""
        print(f"no {such}runs in {args.output_root}", file=sys.stderr)
    return 0


def _key(column: str) -> str:
    """What JSON calls a column."""
    return KEYS.get(column, column)


def _by_words(column: str) -> Callable[[dict[str, Any]], str]:
    return lambda entry: entry[column]


def _by_number(key: str) -> Callable[[dict[str, Any]], float]:
    """The highest first, what there is not last."""
    return lambda entry: math.inf if entry[key] is None else -entry[key]


def _entry(run: Run) -> dict[str, Any]:
    """What the list says of a run, as plain data."""
    summary = run.info.get("summary") or {}
    return {
        "id": run.id,
        "folder": str(run.folder),
        "dataset": run.dataset,
        "model": run.model,
        "status": run.info["status"],
        "written": run.written.isoformat(timespec="seconds"),
        "rounds": summary.get("rounds_done"),
        "replicates": summary.get("replicates"),
        "density": summary.get("density"),
        "dense_accuracy": summary.get("dense_accuracy"),
        "ticket_accuracy": summary.get("ticket_accuracy"),
    }


def _line(entry: dict[str, Any], now: datetime) -> str:
    accuracy, density = entry["ticket_accuracy"], entry["density"]
    numbers = (
        "-" if entry["rounds"] is None else str(entry["rounds"]),
        "-" if entry["replicates"] is None else str(entry["replicates"]),
        "-" if accuracy is None else f"{100 * accuracy:.2f} %",
        "-" if density is None else f"{percent(density)} %",
        _age(now - datetime.fromisoformat(entry["written"])),
    )
    return _columns([entry[name] for name in WORDS], numbers)


def _columns(words: Iterable[str], numbers: Iterable[str]) -> str:
    """Words to the left of their column and cut to its width, numbers to the right."""
    cut = [
        f"{word if len(word) <= width else word[: width - 1] + '…':{width}}"
        for word, width in zip(words, WORDS.values(), strict=True)
    ]
    return " ".join([*cut, *(f"{n:>{width}}" for n, width in zip(numbers, NUMBERS.values(), strict=True))])


def _age(age: timedelta) -> str:
    """A time in the largest unit that fits: `45s`, `12m`, `3h`, `5d`."""
    seconds = int(age.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
