"""List the runs below an output root, or some of them, the most recent first."""

import argparse
import difflib
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ltr.commands.filters import Condition, condition
from ltr.commands.options import add_output_root
from ltr.errors import ConfigError
from ltr.report import console, runs
from ltr.report.command_line import word
from ltr.report.runs import NUMBERS, WORDS
from ltr.store.catalog import all_runs

EPILOG = """\
examples:
  ltr ls --output-root outputs
  ltr ls --where dataset=mnist --where 'kept<0.1' --sort ticket
  ltr ls --where 'optimizer.learning_rate>0.001' --sort seed

`reps` are replicates; `ticket` is the mean test accuracy at early stop of the
sparsest ticket, `kept` the weights that it keeps, and `age` the time since the
run was last written. The knobs in which the listed runs differ have columns
too, as many as there is room for.

status: running; finished; stopped by a signal; failed; crashed, where no
process writes it that says that it is running; damaged, where run.json cannot
be read. Of runs that are not finished it is said what each goes on with.

--where compares (=, !=, <, <=, >, >=) a column, or a knob by its dotted name,
with a value; given more than once, all have to hold. Accuracies and densities
are fractions up to 1 and more than that in %: 0.97, 97 and 97% are the same
(1 is everything, 1% a hundredth). --sort orders by a column or a knob: words
by the alphabet, numbers from the highest down, runs that have none last.
Knobs of the machine (output_root, devices, ...) are none that a run is known
by.

With --json a list of objects with the keys id, folder, dataset, model, status,
command (that it goes on with, null if it needs none), written, rounds,
replicates, density, dense_accuracy, ticket_accuracy, and settings (the knobs
that are not at their default, by dotted name), null where a run has no such
thing yet; accuracies and densities are fractions."""

KEYS = {"reps": "replicates", "ticket": "ticket_accuracy", "kept": "density"}
"""Those of the numbers that JSON has another name for."""

FRACTIONS = ("ticket", "kept")

COMPARED = [name for name in NUMBERS if name != "age"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_output_root(parser)
    parser.add_argument(
        "--where", action="append", default=[], metavar="CONDITION", help="list only runs of which this holds"
    )
    parser.add_argument("--sort", metavar="COLUMN", help="the column or knob to order by")
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Print the list."""
    conditions = [condition(text, WORDS, COMPARED, FRACTIONS, _check_knob) for text in args.where]
    if args.sort and args.sort not in (*WORDS, *COMPARED):
        _check_knob(f"--sort={args.sort}", args.sort)
    found = all_runs(args.output_root)
    entries = [runs.entry(run) for run in found]
    asked = [*(condition.name for condition in conditions), *([args.sort] if args.sort else [])]
    if {*asked} - {*WORDS, *COMPARED} or len(found) <= runs.MOST_READ:
        runs.read_settings(found, entries)
    entries = _chosen(entries, conditions, args.sort)
    if args.json:
        console.write(json.dumps(entries, indent=2))
    elif entries:
        width = max(runs.LINE, shutil.get_terminal_size((runs.LINE, 24)).columns)
        text, left_out = runs.table(entries, width)
        console.write(text)
        for remark in runs.remarks(entries, left_out):
            print(remark, file=sys.stderr)
    else:
        such = "such " if conditions else ""
        print(f"no {such}runs in {args.output_root}", file=sys.stderr)
    return 0


def _chosen(
    entries: Sequence[dict[str, Any]], conditions: Sequence[Condition], sort: str | None
) -> list[dict[str, Any]]:
    """Those of which the conditions hold, in order."""
    chosen = [
        one
        for one in entries
        if all(condition.holds({condition.name: _said(one, condition.name)}) for condition in conditions)
    ]
    return sorted(chosen, key=_order(sort)) if sort else chosen


def _said(entry: dict[str, Any], name: str) -> Any:
    """What a run says under the name of a column or a knob; None where it is not known."""
    if name in WORDS or name in COMPARED:
        return entry[KEYS.get(name, name)]
    if entry["settings"] is None:
        return None
    if name in entry["settings"]:
        return entry["settings"][name]
    from ltr.store.settings import default

    return default(name)


def _order(name: str) -> Callable[[dict[str, Any]], tuple[int, float, str]]:
    """Numbers first, the highest first; then words; last what there is not."""

    def key(entry: dict[str, Any]) -> tuple[int, float, str]:
        said = _said(entry, name)
        if said is None:
            return (2, 0, "")
        is_number = isinstance(said, int | float) and not isinstance(said, bool)
        return (0, -said, "") if is_number else (1, 0, word(said))

    return key


def _check_knob(typed: str, name: str) -> None:
    """ConfigError, which begins with what was typed, where no run is known by such a knob."""
    from ltr.store.settings import default, listed

    try:
        default(name)
    except KeyError:
        columns = [*WORDS, *COMPARED]
        close = difflib.get_close_matches(name, [*columns, *listed()], n=1, cutoff=0.8)
        hint = f"columns are {', '.join(columns)}; knobs are in ltr run --help"
        hint = f"did you mean {close[0]}?" if close else hint
        raise ConfigError(f"{typed}: {name} is no column and no knob of a run; {hint}") from None
