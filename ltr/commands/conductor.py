"""Conducts one experiment: from its configuration to a finished folder, watched and stoppable."""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ltr import arms, devices, setup
from ltr import experiment as loop
from ltr.analysis.summary import by_round, select, summary
from ltr.commands.stopping import Stop
from ltr.config import Experiment
from ltr.errors import LtrError, StoppedError
from ltr.report import outcome, tables
from ltr.report.arms import in_order
from ltr.report.progress import Display, Pace, display
from ltr.report.stdout import write
from ltr.setup import Outline, Setup
from ltr.store.folder import RunFolder, open_run
from ltr.store.tables import LaneId
from ltr.waves import Progress

log = logging.getLogger("ltr")


def conduct(experiment: Experiment) -> None:
    """Train what the run lacks, and print what it found.

    Raises:
        ConfigError: the configuration is wrong.
        DataNotFoundError: the data is not there.
        StoppedError: a signal asked to stop; a checkpoint was written.
        LtrError: the run failed.
    """
    devices.start(_compilation_cache())
    outline = setup.outline(experiment)
    with _warnings_shown(), Stop() as stop, open_run(experiment) as folder:
        missing = _missing(outline, folder)
        unfinished = missing or folder.facts.get("status") != "finished"
        ready = setup.make(outline) if unfinished else None
        line = f"run {folder.path}: {_amount(outline, folder, missing)}"
        print(line, file=sys.stderr, flush=True)
        log.info(line)
        table = RoundTable(experiment, folder)
        table.catch_up()
        if ready is not None:
            with _recorded(folder, experiment):
                _train(ready, folder, stop, table, missing)
                outcome.draw(folder.path, folder.frames["results"])
        outcome.conclude(folder.path, select(folder.frames["results"], experiment))


def _train(ready: Setup, folder: RunFolder, stop: Stop, table: "RoundTable", missing: list[LaneId]) -> None:
    folder.describe(devices=devices.describe(ready.trainer.placement))
    pace = Pace(sum(ready.schedule.length(lane.round) for lane in missing), time.monotonic)
    with display(sys.stderr) as shown:
        loop.run(ready, folder, Watch(ready.experiment, stop, table, pace, shown))


class RoundTable:
    """Prints a run's table a line at a time, as its rounds end."""

    def __init__(self, experiment: Experiment, folder: RunFolder) -> None:
        self._experiment, self._folder = experiment, folder
        self._arms = in_order(experiment.arms)
        self._next = 0

    def catch_up(self) -> None:
        """Print the rounds that are complete and not printed yet."""
        results = select(self._folder.frames["results"], self._experiment)
        rounds = by_round(results)
        while len(results[results["round"] == self._next]) == len(arms.lanes(self._experiment, self._next)):
            if self._next == 0:
                write(tables.accuracy_title(rounds) + "\n" + tables.header(self._arms))
            write(tables.row(rounds[rounds["round"] == self._next], self._arms))
            self._next += 1


class Watch:
    """The eyes on a run: progress, the table, and signals."""

    def __init__(
        self, experiment: Experiment, stop: Stop, table: RoundTable, pace: Pace, shown: Display
    ) -> None:
        self._experiment, self._stop, self._table = experiment, stop, table
        self._pace, self._shown = pace, shown
        self._label = ""

    def begins(self, round: int, lanes: list[LaneId]) -> None:
        """Say which round it is."""
        self._label = f"round {round}/{self._experiment.rounds}, {len(lanes)} lanes"

    def visits(self, progress: Progress) -> LtrError | None:
        """Move the bar; ask for an end after a signal."""
        self._pace.advance(progress.steps)
        self._shown.update(f"{self._label}, accuracy {100 * progress.accuracy:.1f} %", self._pace)
        return self._stop.error()

    def ends(self, round: int) -> None:
        """Print the round's line."""
        log.info("round %d is done", round)
        self._table.catch_up()


def _missing(outline: Outline, folder: RunFolder) -> list[LaneId]:
    experiment, finished = outline.experiment, folder.finished
    wanted = (lane for round in range(experiment.rounds + 1) for lane in arms.lanes(experiment, round))
    return [lane for lane in wanted if lane not in finished]


def _amount(outline: Outline, folder: RunFolder, missing: list[LaneId]) -> str:
    if not missing:
        return "finished before, nothing to train"
    said = f"{len(missing)} trainings of {outline.schedule.steps} steps"
    return f"{said} to go, {len(folder.finished)} done before" if folder.finished else said


@contextlib.contextmanager
def _recorded(folder: RunFolder, experiment: Experiment) -> Iterator[None]:
    """Keep run.json true, whatever happens."""
    folder.begin(experiment)
    status = "failed"
    try:
        yield
        status = "finished"
    except StoppedError as error:
        status = "running"
        log.info("%s", error)
        raise
    except Exception as error:
        log.info("failed: %s", error)
        raise
    finally:
        results = folder.frames["results"]
        folder.describe(status=status, summary=summary(results), device_seconds=folder.seconds)


@contextlib.contextmanager
def _warnings_shown() -> Iterator[None]:
    """Print what ltr warns of on standard error; all that it logs goes to the run's log.txt."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("ltr: %(message)s"))
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    log.propagate = False  # a library that ltr uses gives the root logger a handler
    try:
        yield
    finally:
        log.propagate = True
        log.removeHandler(handler)


def _compilation_cache() -> Path:
    default: Any = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or Path(default) / "ltr" / "jax")
