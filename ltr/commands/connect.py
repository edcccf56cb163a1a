"""Measure how stable a run's tickets are to the order of the data.

Trains two copies of each ticket in different data orders, from the rewind
step, and measures the error along the line between them, and along the line
from each round's trained ticket to that of the next round (linear mode
connectivity, Frankle et al., 2020). At each point of a line the statistics of
batch normalisation are re-estimated on training images (Jordan et al., 2022).
The measurements are kept in the run's folder; the same command resumes them.

Example:
  ltr connect last --rounds 0,5,10
"""

import argparse
import dataclasses
import json
import textwrap
from typing import TYPE_CHECKING

from ltr.commands.options import add_data_dir, add_output_root, add_run, data_dir, load
from ltr.errors import ConfigError, LtrError
from ltr.report.console import write
from ltr.report.formatting import ranges

if TYPE_CHECKING:
    import pandas as pd

    from ltr.config.schema import Experiment


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr connect`."""
    add_run(parser)
    parser.add_argument("--rounds", metavar="N,N,...", help="rounds to measure (default: all of them)")
    parser.add_argument(
        "--statistics",
        choices=("re-estimated", "interpolated"),
        default="re-estimated",
        help="show barriers with batch-normalisation statistics that are re-estimated between the ends "
        "(default), or interpolated like the weights",
    )
    add_data_dir(parser)
    add_output_root(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Measure the missing rounds, and show all."""
    run = load(args.run, args.output_root)
    run.require_plugins()
    from ltr.analysis.connectivity import by_round
    from ltr.core import cache_paths
    from ltr.experiment.titles import title
    from ltr.report import connectivity as report
    from ltr.report.formatting import plain_rows
    from ltr.report.text_table import WIDTH
    from ltr.store import tables
    from ltr.store.fetching import publish
    from ltr.store.identity import folder_name

    experiment = run.experiment
    if run.folder.name != folder_name(experiment):
        raise ConfigError(f"{run.folder}: must be named {folder_name(experiment)}, as when it was trained")
    rounds = _rounds(args.rounds, experiment, run.results)
    from ltr.engine import devices  # imports JAX; wrong rounds are refused first

    devices.start(cache_paths.compiled())
    run.require_checkpoints()
    from ltr.experiment import connectivity_table

    connectivity_table.complete(dataclasses.replace(experiment, data_dir=data_dir(args, run)), rounds)
    table = tables.read(run.folder, "connectivity")
    shown = table["round"].isin(rounds) & table["statistics"].isin((args.statistics, "none"))
    summary = by_round(table[shown])
    if "orders" not in set(summary["kind"]):
        raise LtrError(f"{run.folder}: no barrier in these rounds, since a copy of every ticket diverged")
    figures = report.draw(summary, title(experiment), run.folder / "figures")
    for figure in figures:
        publish(figure)
    if args.json:
        write(json.dumps({"run": str(run.folder), "barriers": plain_rows(summary)}, indent=2))
    else:
        conclusion = textwrap.fill(report.sentence(summary), WIDTH)
        write(f"{report.table(summary)}\n\nfigure  {figures[0]}\n\n{conclusion}")
    return 0


def _rounds(text: str | None, experiment: "Experiment", results: "pd.DataFrame") -> list[int]:
    """Return the rounds to measure; rounds that no chain reached are not among them."""
    from ltr.store import chains

    ended = chains.ends(results, experiment)
    reached = max([end.last_round for end in ended.values()], default=0)
    last = experiment.rounds if len(ended) < experiment.replicates else reached
    trained = [round_number for round_number in range(last + 1) if experiment.trains(round_number)]
    if text is None:
        return trained
    words = text.split(",")
    if not all(word.isdecimal() and int(word) in trained for word in words):
        raise ConfigError(f"--rounds={text}: must be among {ranges(trained)}, as in 0,{trained[-1]}")
    return sorted(set(map(int, words)))
