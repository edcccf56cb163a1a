"""Observer of a run, on the command line or in Python: progress, table of rounds, signals, tracker."""

import logging
import math
from collections.abc import Callable

from ltr.analysis.summary import by_round, select
from ltr.arms import searches
from ltr.arms.lanes import missing
from ltr.config.schema import Experiment
from ltr.core.plural import number_of
from ltr.engine.trainer import Progress
from ltr.errors import LtrError
from ltr.experiment.signals import Stop
from ltr.report import tables
from ltr.report.arms import in_order
from ltr.report.progress import Display, Pace
from ltr.store.folder import RunFolder

log = logging.getLogger("ltr")


class RoundTable:
    """Printed table of a run that grows by a line when a round ends; without `write` there is none."""

    def __init__(
        self, experiment: Experiment, folder: RunFolder, write: Callable[[str], None] | None
    ) -> None:
        self._experiment, self._folder, self._write = experiment, folder, write
        self._arms = _often_trained_first(experiment)
        self._next = 0

    def catch_up(self) -> None:
        """Print the rounds that are complete and not printed yet."""
        if self._write is None:
            return
        results = select(self._folder.frames["results"], self._experiment)
        rounds = by_round(results[results["round"] >= self._next])
        present = self._folder.frames["results"]
        while self._next <= self._experiment.rounds and not missing(self._experiment, self._next, present):
            row = rounds[rounds["round"] == self._next]
            if self._next == 0:
                self._write(tables.accuracy_title(row) + "\n" + tables.header(self._arms))
            if len(row) and self._experiment.trains(self._next):
                self._write(tables.row(row, self._arms))
            self._next += 1


def _often_trained_first(experiment: Experiment) -> list[str]:
    """Return the arms in order, those that train in more rounds first, so that what is blank comes last."""
    rounds = range(experiment.rounds + 1)
    return sorted(
        in_order(experiment.arms),
        key=lambda arm: -sum(searches.trains(experiment, arm, round_number) for round_number in rounds),
    )


class RunObserver:
    """Callbacks of a run (see `ltr.experiment.session.Observer`).

    `remaining` returns the work that is left at the beginning of a stage. It is asked again at each, as the
    layers that train packed may be chosen in between, and chains may have ended.
    """

    def __init__(
        self,
        stop: Stop,
        table: RoundTable,
        pace: Pace,
        shown: Display,
        track: Callable[[int], None],
        remaining: Callable[[], float],
    ) -> None:
        self._stop, self._table, self._pace, self._shown = stop, table, pace, shown
        self._track, self._remaining = track, remaining
        self._label, self._step_cost = "", 1.0

    def on_stage(self, stage: str, lanes: int, step_cost: float) -> None:
        """Set the label of the progress bar and the total of its work; raise StoppedError after a signal.

        Between two stages everything is committed, so no chunk of the next one must be waited for.
        """
        if error := self._stop.error():
            raise error
        self._pace.total = self._pace.done + self._remaining()
        self._label, self._step_cost = f"{stage}: {number_of(lanes, 'lane')}", step_cost

    def on_resume(self, steps: int) -> None:
        """Subtract the steps in a checkpoint from the total."""
        self._pace.total -= steps * self._step_cost

    def on_chunk(self, progress: Progress) -> LtrError | None:
        """Advance the progress bar; return an error to stop with after a signal."""
        self._pace.advance(progress.steps * self._step_cost)
        accuracy = "all diverged" if math.isnan(progress.accuracy) else _validation(progress.accuracy)
        self._shown.update(f"{self._label}, {accuracy}", self._pace)
        return self._stop.error()

    def on_round_end(self, round_number: int) -> None:
        """Print the round's line, and send the round to the tracker."""
        log.info("round %d is done", round_number)
        self._table.catch_up()
        self._track(round_number)


def _validation(accuracy: float) -> str:
    return f"val. accuracy {100 * accuracy:.1f} %"
