"""List the runs below an output root, or some of them, most recent first."""

import argparse
import difflib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ltr.commands.filters import Condition, condition
from ltr.commands.options import add_output_root
from ltr.config.literals import literal
from ltr.errors import ConfigError
from ltr.report import console, runs
from ltr.report.runs import NUMBERS, WORDS
from ltr.store.catalog import Run
from ltr.store.damage import DAMAGED

EPILOG = """\
examples:
  ltr ls --output-root outputs
  ltr ls --where dataset=mnist --where 'kept<0.1' --sort ticket
  ltr ls --where 'optimizer.learning_rate>0.001' --sort seed

`reps` is the number of replicates, `ticket` the mean test accuracy at early
stop of the sparsest ticket, `kept` its density, and `age` the time since the
run was last written. Knobs in which the listed runs differ have columns too, as
many as fit the width.

status: running; finished; stopped by a signal; failed; crashed: marked as
running, but no process writes it; damaged: run.json is missing or cannot be
read. For each run that is not finished, the command that resumes it is printed,
or the plug-in that it lacks to go on. ltr doctor RUN checks all files of a run.
Runs in which lanes diverged, or replicates ended before the last round, are
noted too.

--where compares (=, !=, <, <=, >, >=) a column, or a knob by its dotted name,
with a value; if it is repeated, all conditions must hold. Accuracies and
densities up to 1 are fractions, above 1 they are in %: 0.97, 97 and 97% are the
same (1 is 100 %, 1% is 0.01). --sort orders by a column or a knob: words
alphabetically, numbers in descending order, runs without a value last. Knobs of
the machine (output_root, devices, ...) cannot be used.

With --json a list of objects with the keys id, folder, dataset, model, status,
error (that it failed by, null if it did not), command (that resumes it, null if
it needs none or cannot be resumed), obstacle (plug-in that it lacks to go on,
null if it lacks none), written, rounds, replicates, diverged (lanes), ended
(replicates without later rounds), density, dense_accuracy, ticket_accuracy, and
settings (knobs that are not at their default, by dotted name). Values that a
run does not have yet are null; accuracies and densities are fractions."""

KEYS = {"reps": "replicates", "ticket": "ticket_accuracy", "kept": "density"}
"""Names in JSON of columns that have another name there."""

FRACTIONS = ("ticket", "kept")

COMPARED = [name for name in NUMBERS if name != "age"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr ls`."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_output_root(parser)
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="list only runs that meet this condition",
    )
    parser.add_argument("--sort", metavar="COLUMN", help="column or knob to sort by")
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Print the list of runs."""
    conditions = [condition(text, WORDS, COMPARED, FRACTIONS, _check_knob) for text in args.where]
    if args.sort and args.sort not in (*WORDS, *COMPARED):
        _check_knob(f"--sort={args.sort}", args.sort)
    entries = runs.entries(args.output_root)
    requested = [*(condition.name for condition in conditions), *([args.sort] if args.sort else [])]
    if {*requested} - {*WORDS, *COMPARED} or len(entries) <= runs.MOST_READ:
        runs.read_settings(entries)
    entries = _chosen(entries, conditions, args.sort)
    if args.json:
        console.write(json.dumps(entries, indent=2))
    elif entries:
        width = max(runs.LINE, shutil.get_terminal_size((runs.LINE, 24)).columns)
        text, left_out = runs.table(entries, width)
        console.write(text)
        damages = [Run(Path(entry["folder"])).damage for entry in entries if entry["status"] == DAMAGED]
        for remark in (*runs.remarks(entries, left_out), *map(str, filter(None, damages))):
            console.note(remark)
    else:
        such = "such " if conditions else ""
        console.note(f"no {such}runs in {args.output_root}")
    return 0


def _chosen(
    entries: Sequence[dict[str, Any]], conditions: Sequence[Condition], sort: str | None
) -> list[dict[str, Any]]:
    """Return the entries that meet all conditions, sorted if `sort` is given."""
    columns = {*WORDS, *COMPARED}
    has_knobs = any(condition.name not in columns for condition in conditions)
    chosen = [
        entry
        for entry in entries
        if not (has_knobs and entry["settings"] is None)
        and all(condition.holds({condition.name: _value(entry, condition.name)}) for condition in conditions)
    ]
    return sorted(chosen, key=_order(sort)) if sort else chosen


def _value(entry: dict[str, Any], name: str) -> Any:
    """Return a run's value of a column or a knob; None if it is unknown."""
    if name in WORDS or name in COMPARED:
        return entry[KEYS.get(name, name)]
    if entry["settings"] is None:
        return None
    if name in entry["settings"]:
        return entry["settings"][name]
    from ltr.store.settings import default

    return default(name)


def _order(name: str) -> Callable[[dict[str, Any]], tuple[int, float, str]]:
    """Return a sort key: numbers in descending order, then words, then runs without a value."""

    def key(entry: dict[str, Any]) -> tuple[int, float, str]:
        value = _value(entry, name)
        if value is None:
            return (2, 0, "")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return (0, -value, "") if is_number else (1, 0, literal(value))

    return key


def _check_knob(typed: str, name: str) -> None:
    """Raise ConfigError, which begins with the option as typed, if runs have no such knob."""
    from ltr.store.settings import default, listed

    try:
        default(name)
    except KeyError:
        columns = [*WORDS, *COMPARED]
        close = difflib.get_close_matches(name, [*columns, *listed()], n=1, cutoff=0.8)
        hint = f"columns are {', '.join(columns)}; knobs are in ltr run --help"
        hint = f"did you mean {close[0]}?" if close else hint
        raise ConfigError(f"{typed}: {name} is no column and no knob of a run; {hint}") from None
