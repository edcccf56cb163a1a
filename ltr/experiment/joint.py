"""Joint training: runs advance side by side, and lanes of several train in the same batches.

Each run is a generator. It yields the trainings that it needs and receives their outcomes. What a run does
with them, and the errors that it ends by, concern no other run.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Int32

from ltr.engine.running_batch import LaneBatch, Outcome
from ltr.engine.trainer import InitialState, Progress, Snapshot, Trainer
from ltr.store.tables import LaneId


class Training(NamedTuple):
    """Lanes of a run that are to be trained.

    Attributes:
        trainer: trainer of the run, which other runs may share.
        starts: initial states of the lanes.
        evaluate_at: see `ltr.engine.trainer.Trainer.train`.
        on_chunk: called after each chunk with the progress of these lanes. An exception in it ends their
            training, and no other's.
        keeps_params: see `ltr.engine.trainer.Trainer.train`.
        resume: checkpoint to continue from; None to begin.
    """

    trainer: Trainer
    starts: Mapping[LaneId, InitialState]
    evaluate_at: Int32[np.ndarray, "evaluations"]
    on_chunk: Callable[[Progress], None]
    keeps_params: Callable[[LaneId], bool]
    resume: Snapshot | None = None

    @property
    def batch(self) -> LaneBatch | None:
        """Batch to resume; None without one."""
        return self.resume.batch if self.resume else None


Outcomes: TypeAlias = dict[LaneId, Outcome]

Trainings: TypeAlias = Generator[Training, Outcomes, None]
"""Run: yields trainings, and receives the outcomes of each."""

Name: TypeAlias = tuple[int, LaneId]
"""Lane of one of several trainings: number of the training, and lane."""


def conduct(
    runs: Iterable[Trainings], on_end: Callable[[int, Exception | None], None] = lambda number, error: None
) -> list[Exception | None]:
    """Advance runs to their ends; those that wait for trainings of the same steps train together.

    Args:
        runs: each run has a context of its own (`contextvars`), as it would have in a process of its own.
        on_end: called at the end of a run with its number and the error that it failed by.

    Returns:
        The error that each run failed by; None for one that is done.
    """
    started = [_Run(run) for run in runs]
    numbers = {run: number for number, run in enumerate(started)}

    def advance(run: "_Run", outcomes: Outcomes | Exception | None) -> None:
        run.advance(outcomes)
        if run.training is None:
            on_end(numbers[run], run.error)

    try:
        for run in started:
            advance(run, None)
        while waiting := [run for run in started if run.training]:
            together = _together(waiting)
            trained = train([run.training for run in together if run.training])
            for run, outcomes in zip(together, trained, strict=True):
                advance(run, outcomes)
            started.sort(key=lambda run: run in together)  # the others are next
    except BaseException as error:
        for run in started:
            run.interrupt(error)
        raise
    return [run.error for run in numbers]


class _Run:
    """Run that waits for `training`, or is over: then that is None, and `error` says whether it failed."""

    def __init__(self, trainings: Trainings) -> None:
        self._trainings, self._context = trainings, contextvars.copy_context()
        self.training: Training | None = None
        self.error: Exception | None = None

    def advance(self, outcomes: Outcomes | Exception | None) -> None:
        """Send the outcomes of the training that it waits for, or the error that it failed by."""
        self.training = None
        try:
            if isinstance(outcomes, Exception):
                training = self._context.run(self._trainings.throw, outcomes)
            else:
                training = self._context.run(self._trainings.send, outcomes)  # type: ignore[arg-type]
        except StopIteration:
            return
        except Exception as error:
            self.error = error
            return
        on_chunk = training.on_chunk
        self.training = training._replace(on_chunk=lambda progress: self._context.run(on_chunk, progress))

    def interrupt(self, error: BaseException) -> None:
        """End a run that waits by an exception that ends the process."""
        if self.training is not None:
            with contextlib.suppress(BaseException):
                self._context.run(self._trainings.throw, error)


def _together(waiting: Sequence[_Run]) -> list[_Run]:
    """Return the runs whose trainings the first one's can share batches with, the first included."""
    chosen: list[_Run] = []
    for run in waiting:
        if _are_alike([other.training for other in (*chosen, run) if other.training]):
            chosen.append(run)
    return chosen


def _are_alike(trainings: Sequence[Training]) -> bool:
    """Return whether trainings have one trainer and equal steps, and what they resume was one batch."""
    first = trainings[0]
    resumed = [training for training in trainings if training.batch]
    kinds = {(training.batch.step, _program(training)) for training in resumed if training.batch}
    return (
        all(training.trainer is first.trainer for training in trainings)
        and all(np.array_equal(training.evaluate_at, first.evaluate_at) for training in trainings)
        and len(kinds) <= 1
        and sum(len(training.batch.names) for training in resumed if training.batch)
        <= max(first.trainer.placement.capacity, len(first.batch.names) if first.batch else 0)
    )


def _program(training: Training) -> str | None:
    """Return the program of the batch that a training resumes."""
    names = training.batch.names if training.batch else ()
    return training.starts[names[0]].program if names and names[0] in training.starts else None


def train(trainings: Sequence[Training]) -> list[Outcomes | Exception]:
    """Train the lanes of alike trainings together.

    Returns:
        The outcomes of each training, or the error that it failed by. After an error of its `on_chunk` the
        others go on; its lanes stay in their batches.
    """
    failed: dict[int, Exception] = {}

    def on_chunk(progress: Progress) -> None:
        copied = progress._replace(snapshot=functools.cache(progress.snapshot))
        for number, training in enumerate(trainings):
            if number not in failed:
                try:
                    training.on_chunk(_share(copied, number))
                except Exception as error:
                    failed[number] = error
        if len(failed) == len(trainings):
            raise failed[0]

    starts = {
        (number, lane): start
        for number, training in enumerate(trainings)
        for lane, start in training.starts.items()
    }
    first, resume = trainings[0], _merged([training.resume for training in trainings])
    try:
        outcomes = first.trainer.train(
            starts, first.evaluate_at, on_chunk, resume, lambda name: trainings[name[0]].keeps_params(name[1])
        )
    except Exception as error:
        return [failed.get(number, error) for number in range(len(trainings))]
    return [failed.get(number) or _own(outcomes, number) for number in range(len(trainings))]


def _share(progress: Progress, number: int) -> Progress:
    """Return the progress of one of several trainings; the accuracy is the mean of all."""
    names = [lane for training, lane in progress.names if training == number]
    steps = progress.steps * len(names) // len(progress.names)
    return progress._replace(
        names=names, steps=steps, snapshot=lambda: _snapshot_of(progress.snapshot(), number)
    )


def _snapshot_of(snapshot: Snapshot, number: int) -> Snapshot:
    """Return the part of a snapshot that belongs to one of several trainings."""
    batch = snapshot.batch
    own = [place for place, (of, _) in enumerate(batch.names) if of == number] if batch else []
    if batch is None or not own:
        return Snapshot(_own(snapshot.outcomes, number), None)
    names = tuple(batch.names[place][1] for place in own)
    lanes, metrics = [batch.lanes[place] for place in own], batch.metrics
    part = LaneBatch(names, lanes, batch.step, [metrics[place] for place in own if metrics], batch.seconds)
    return Snapshot(_own(snapshot.outcomes, number), part)


def _own(outcomes: Mapping[Name, Outcome], number: int) -> Outcomes:
    """Return the outcomes of one of several trainings, by lane."""
    return {lane: outcome for (training, lane), outcome in outcomes.items() if training == number}


def _merged(snapshots: Sequence[Snapshot | None]) -> Snapshot | None:
    """Return one snapshot of several trainings; their batches were one, or parts of one."""
    if not any(snapshots):
        return None
    numbered = [(number, snapshot) for number, snapshot in enumerate(snapshots) if snapshot]
    outcomes = {
        (number, lane): outcome
        for number, snapshot in numbered
        for lane, outcome in snapshot.outcomes.items()
    }
    batches = [(number, snapshot.batch) for number, snapshot in numbered if snapshot.batch]
    if not batches:
        return Snapshot(outcomes, None)
    merged = LaneBatch(
        tuple((number, lane) for number, batch in batches for lane in batch.names),
        [lane for _, batch in batches for lane in batch.lanes],
        batches[0][1].step,
        [metrics for _, batch in batches for metrics in batch.metrics],
        max(batch.seconds for _, batch in batches),
    )
    return Snapshot(outcomes, merged)
