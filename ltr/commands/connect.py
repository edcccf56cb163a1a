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
import itertools
import json
import sys
import textwrap
import time
from typing import TYPE_CHECKING

from ltr.commands.options import add_output_root, add_run, load
from ltr.core.plural import number_of
from ltr.errors import ConfigError
from ltr.report.console import write
from ltr.report.formatting import ranges

if TYPE_CHECKING:
    import pandas as pd

    from ltr.config.schema import Experiment
    from ltr.experiment.session import Session
    from ltr.store.folder import RunFolder


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
    add_output_root(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Measure the missing rounds, and show all."""
    run = load(args.run, args.output_root)
    run.require_plugins()
    from ltr.analysis.connectivity import by_round
    from ltr.experiment.titles import title
    from ltr.report import connectivity as report
    from ltr.report.formatting import plain_rows
    from ltr.report.text_table import WIDTH
    from ltr.store import tables
    from ltr.store.identity import folder_name

    experiment = run.experiment
    if run.folder.name != folder_name(experiment):
        raise ConfigError(f"{run.folder}: must be named {folder_name(experiment)}, as when it was trained")
    rounds = _rounds(args.rounds, experiment)
    _measure(experiment, rounds)
    table = tables.read(run.folder, "connectivity")
    shown = table["round"].isin(rounds) & table["statistics"].isin((args.statistics, "none"))
    summary = by_round(table[shown])
    figures = report.draw(summary, title(experiment), run.folder / "figures")
    if args.json:
        write(json.dumps({"run": str(run.folder), "barriers": plain_rows(summary)}, indent=2))
    else:
        conclusion = textwrap.fill(report.sentence(summary), WIDTH)
        write(f"{report.table(summary)}\n\nfigure  {figures[0]}\n\n{conclusion}")
    return 0


def _rounds(text: str | None, experiment: "Experiment") -> list[int]:
    trained = [
        round_number for round_number in range(experiment.rounds + 1) if experiment.trains(round_number)
    ]
    if text is None:
        return trained
    words = text.split(",")
    if not all(word.isdecimal() and int(word) in trained for word in words):
        raise ConfigError(f"--rounds={text}: must be among {ranges(trained)}, as in 0,{trained[-1]}")
    return sorted(set(map(int, words)))


def _measure(experiment: "Experiment", rounds: list[int]) -> None:
    """Train and measure the rounds that the table lacks, and write each when it is done."""
    from ltr.core import cache_paths
    from ltr.engine import devices
    from ltr.experiment import connectivity
    from ltr.experiment.runner import open_session
    from ltr.experiment.spec import RunSpec
    from ltr.store.folder import open_run

    devices.start(cache_paths.compiled())
    with open_run(experiment) as folder:
        spec = RunSpec.from_experiment(experiment)
        statistics = connectivity.statistics(spec.model)
        _name_statistics(folder, statistics[-1])
        unmeasured = [
            round_number
            for round_number in rounds
            if not _is_measured(folder, round_number, experiment, statistics)
        ]
        if unmeasured:
            _require_trained(folder, unmeasured, experiment)
            _train(open_session(spec, folder), unmeasured)


def _train(session: "Session", rounds: list[int]) -> None:
    from ltr.engine.trainer import Progress
    from ltr.experiment import connectivity
    from ltr.experiment.signals import Stop
    from ltr.report.progress import Pace, display

    pace = Pace(len(rounds) * connectivity.steps(session), time.monotonic)
    with Stop() as stop, display(sys.stderr) as shown:
        for round_number in rounds:

            def on_chunk(progress: Progress, round_number: int = round_number) -> None:
                pace.advance(progress.steps)
                shown.update(
                    f"round {round_number}, {number_of(len(progress.names), 'copy', 'copies')}", pace
                )
                if error := stop.error():
                    raise error

            measured = [connectivity.data_orders(session, round_number, on_chunk)]
            if _has_next(session.folder, round_number, session.experiment):
                measured.append(connectivity.next_round(session, round_number))
            _replace_rows(session.folder, measured)


def _replace_rows(folder: "RunFolder", measured: "list[pd.DataFrame]") -> None:
    """Replace a round's rows of the connectivity table."""
    import pandas as pd

    from ltr.store import tables

    table = tables.read(folder.path, "connectivity")
    kept = table[~table["round"].isin(measured[0]["round"])]
    tables.write(folder.path, "connectivity", pd.concat([frame for frame in (kept, *measured) if len(frame)]))


def _name_statistics(folder: "RunFolder", before: str) -> None:
    """Fill in the column `statistics`, which tables of earlier versions lack, with `before`."""
    from ltr.store import tables

    table = tables.read(folder.path, "connectivity")
    if table["statistics"].isna().any():
        tables.write(folder.path, "connectivity", table.fillna({"statistics": before}))


def _is_measured(
    folder: "RunFolder", round_number: int, experiment: "Experiment", statistics: tuple[str, ...]
) -> bool:
    from ltr.store import tables

    table = tables.read(folder.path, "connectivity")
    kinds = ["orders", "rounds"] if _has_next(folder, round_number, experiment) else ["orders"]
    measured = set(
        table.loc[table["round"] == round_number, ["kind", "statistics", "replicate"]].itertuples(index=False)
    )
    return measured >= set(itertools.product(kinds, statistics, range(experiment.replicates)))


def _has_next(folder: "RunFolder", round_number: int, experiment: "Experiment") -> bool:
    from ltr.store.folder import round_name

    return set(range(experiment.replicates)) <= folder.groups.members(round_name(round_number + 1))


def _require_trained(folder: "RunFolder", rounds: list[int], experiment: "Experiment") -> None:
    from ltr.store.folder import round_name

    for round_number in rounds:
        if not set(range(experiment.replicates)) <= folder.groups.members(round_name(round_number)):
            raise ConfigError(
                f"{folder.path}: round {round_number} is not trained yet; finish it with ltr run"
            )
