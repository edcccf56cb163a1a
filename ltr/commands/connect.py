"""Measure how stable a run's tickets are to the order of the data.

Trains two copies of each ticket in different data orders, from the rewind
step, and measures the error along the line between them; and along the line
from each round's trained ticket to the next one's (linear mode connectivity,
Frankle et al., 2020). At each point of a line the statistics of batch
normalisation are estimated anew on training images (Jordan et al., 2022).
What is measured stays in the run's folder; the same command goes on where it
was stopped.

Example:
  ltr connect last --rounds 0,5,10
"""

import argparse
import itertools
import json
import sys
import time
from typing import TYPE_CHECKING

from ltr.commands.options import add_output_root, add_run, load
from ltr.errors import ConfigError
from ltr.report.console import write

if TYPE_CHECKING:
    import pandas as pd

    from ltr.config.schema import Experiment
    from ltr.experiment.session import Session
    from ltr.store.folder import RunFolder


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_run(parser)
    parser.add_argument("--rounds", metavar="N,N,...", help="rounds to measure (default: all of them)")
    parser.add_argument(
        "--statistics",
        choices=("re-estimated", "interpolated"),
        default="re-estimated",
        help="whose barriers to show: of networks whose statistics of batch normalisation are estimated "
        "anew between the ends (default), or interpolated as the weights are",
    )
    add_output_root(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Measure what is missing, and show it."""
    run = load(args.run, args.output_root)
    run.require_plugins()
    from ltr.analysis.connectivity import by_round
    from ltr.experiment.titles import title
    from ltr.report import connectivity as report
    from ltr.report.formatting import plain_rows
    from ltr.store import tables

    experiment = run.experiment
    rounds = _rounds(args.rounds, experiment)
    _measure(experiment, rounds)
    table = tables.read(run.folder, "connectivity")
    shown = table["round"].isin(rounds) & table["statistics"].isin((args.statistics, "none"))
    summary = by_round(table[shown])
    figures = report.draw(summary, title(experiment), run.folder / "figures")
    if args.json:
        write(json.dumps({"run": str(run.folder), "barriers": plain_rows(summary)}, indent=2))
    else:
        write(f"{report.table(summary)}\n\nfigure  {figures[0]}\n\n{report.sentence(summary)}")
    return 0


def _rounds(said: str | None, experiment: "Experiment") -> list[int]:
    trained = [
        round_number for round_number in range(experiment.rounds + 1) if experiment.trains(round_number)
    ]
    if said is None:
        return trained
    words = said.split(",")
    if not all(word.isdecimal() and int(word) in trained for word in words):
        raise ConfigError(f"--rounds={said}: must be among {trained[0]} to {trained[-1]}, as in 0,5,10")
    return sorted(set(map(int, words)))


def _measure(experiment: "Experiment", rounds: list[int]) -> None:
    """Train and measure the rounds that the run's table lacks, each written when it is done."""
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
        lacking = [
            round_number
            for round_number in rounds
            if not _is_measured(folder, round_number, experiment, statistics)
        ]
        if lacking:
            _require_trained(folder, lacking, experiment)
            _train(open_session(spec, folder), lacking)


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
                shown.update(f"round {round_number}, {len(progress.names)} copies", pace)
                if error := stop.error():
                    raise error

            found = [connectivity.data_orders(session, round_number, on_chunk)]
            if _has_next(session.folder, round_number, session.experiment):
                found.append(connectivity.next_round(session, round_number))
            _add(session.folder, found)


def _add(folder: "RunFolder", found: "list[pd.DataFrame]") -> None:
    """Rows of a round replace those that the table had of it."""
    import pandas as pd

    from ltr.store import tables

    table = tables.read(folder.path, "connectivity")
    kept = table[~table["round"].isin(found[0]["round"])]
    tables.write(folder.path, "connectivity", pd.concat([frame for frame in (kept, *found) if len(frame)]))


def _name_statistics(folder: "RunFolder", before: str) -> None:
    """Write what the statistics of rows are that older versions wrote, which did not say."""
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
    found = set(
        table.loc[table["round"] == round_number, ["kind", "statistics", "replicate"]].itertuples(index=False)
    )
    return found >= set(itertools.product(kinds, statistics, range(experiment.replicates)))


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
