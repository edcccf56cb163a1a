"""Connectivity table of a run: the rounds that it lacks are trained, measured and added one by one."""

import itertools
import sys
import time

import pandas as pd

from ltr.arms.lanes import missing
from ltr.config.schema import Experiment
from ltr.core.plural import number_of
from ltr.engine.trainer import Progress
from ltr.errors import ConfigError
from ltr.experiment import connectivity
from ltr.experiment.runtimes import open_session
from ltr.experiment.session import Session
from ltr.experiment.signals import Stop
from ltr.experiment.spec import RunSpec
from ltr.report.progress import Pace, display
from ltr.store import tables
from ltr.store.folder import RunFolder, round_name
from ltr.store.opening import open_run

TABLE = "connectivity"


def complete(experiment: Experiment, rounds: list[int]) -> None:
    """Measure the rounds that a run's table lacks, and write each when it is done.

    Raises:
        ConfigError: a round is not trained yet.
        StoppedError: a signal stopped the measurement; the rounds before are written.
    """
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
            _measure(open_session(spec, folder), unmeasured)


def _measure(session: Session, rounds: list[int]) -> None:
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

            wanted = _wanted(session.folder, round_number, session.experiment)
            measured = [connectivity.data_orders(session, round_number, wanted["orders"], on_chunk)]
            if wanted["rounds"]:
                measured.append(connectivity.next_round(session, round_number, wanted["rounds"]))
            _replace_rows(session.folder, measured)


def _replace_rows(folder: RunFolder, measured: list[pd.DataFrame]) -> None:
    """Replace a round's rows of the table."""
    folder.require_present()
    table = tables.read(folder.path, TABLE)
    kept = table[~table["round"].isin(measured[0]["round"])]
    tables.write(folder.path, TABLE, pd.concat([frame for frame in (kept, *measured) if len(frame)]))
    folder.push()


def _name_statistics(folder: RunFolder, before: str) -> None:
    """Fill in the column `statistics`, which tables of earlier versions lack, with `before`."""
    table = tables.read(folder.path, TABLE)
    if table["statistics"].isna().any():
        tables.write(folder.path, TABLE, table.fillna({"statistics": before}))


def _is_measured(
    folder: RunFolder, round_number: int, experiment: Experiment, statistics: tuple[str, ...]
) -> bool:
    table = tables.read(folder.path, TABLE)
    wanted = {
        (kind, *rest)
        for kind, replicates in _wanted(folder, round_number, experiment).items()
        for rest in itertools.product(statistics, replicates)
    }
    measured = set(
        table.loc[table["round"] == round_number, ["kind", "statistics", "replicate"]].itertuples(index=False)
    )
    return measured >= wanted


def _wanted(folder: RunFolder, round_number: int, experiment: Experiment) -> dict[str, list[int]]:
    """Return the replicates to measure in a round, by the kind of line; chains may have ended before it."""
    here, next_ = (_replicates(folder, number, experiment) for number in (round_number, round_number + 1))
    return {"orders": sorted(here), "rounds": sorted(here & next_)}


def _replicates(folder: RunFolder, round_number: int, experiment: Experiment) -> set[int]:
    """Return the requested replicates that have a ticket in a round; none if one is not trained yet."""
    if any(lane.arm == "ticket" for lane in missing(experiment, round_number, folder.frames["results"])):
        return set()
    return folder.groups.members(round_name(round_number)) & set(range(experiment.replicates))


def _require_trained(folder: RunFolder, rounds: list[int], experiment: Experiment) -> None:
    for round_number in rounds:
        if not _replicates(folder, round_number, experiment):
            raise ConfigError(
                f"{folder.path}: round {round_number} is not trained yet; finish it with ltr run"
            )
