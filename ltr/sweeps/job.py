"""Job of a sweep: trains one combination of values and records what became of it."""

import dataclasses
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from ltr.addresses import local, shown
from ltr.config.overrides import typed_word
from ltr.errors import LockedError, StoppedError
from ltr.experiment.signals import Stop, request_stop
from ltr.faults import exit_code, is_known, message
from ltr.report import console
from ltr.store.identity import run_folder
from ltr.sweeps import preemption
from ltr.sweeps.journal import FAILED, FINISHED, PREEMPTED, STOPPED, WAITING, Job, Journal

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ltr.config.schema import Experiment

Conduct = Callable[["Experiment", str | None, Stop], None]
"""Function that trains an experiment, given its `ticket` as typed."""

POLL = 2.0
"""Seconds between two attempts at a run that another process writes."""


def conduct(composed: "DictConfig", number: int, journal: Journal, train: Conduct) -> None:
    """Run the job of this number and record it; a failure stops no other job.

    A preempted job writes a checkpoint and is put back into the queue, which ends this process.
    """
    from hydra.core.hydra_config import HydraConfig

    job = Job.starting(number, [typed_word(word) for word in HydraConfig.get().overrides.task])
    with Stop(journal.stop_file, preemption.signals()) as stop:
        job = _conducted(job, composed, journal, train, stop)
    record(journal, job)
    if job.was_stopped and preemption.is_preempted(stop):
        record(journal, dataclasses.replace(job, state=PREEMPTED))
        preemption.requeue()
    if job.was_stopped and not journal.is_remote:
        request_stop(journal.stop_file, job.exit_code - 128)


def _conducted(job: Job, composed: "DictConfig", journal: Journal, train: Conduct, stop: Stop) -> Job:
    """Train the combination of a job; return its record at the end."""
    from ltr.experiment import compose

    try:
        if error := stop.error():
            raise error
        record(journal, job)
        experiment = compose.experiment_of(composed)
        job = dataclasses.replace(job, folder=shown(str(run_folder(experiment))))
        record(journal, job)
        _train_when_free(job, journal, stop, lambda: train(experiment, composed.ticket, stop))
    except Exception as error:
        return ended(job, error)
    return ended(job, None)


def ended(job: Job, error: Exception | None) -> Job:
    """Return the record of a job at its end; print the error that it failed by."""
    if error is None:
        return dataclasses.replace(job, state=FINISHED)
    if isinstance(error, StoppedError):
        return dataclasses.replace(job, state=STOPPED, error=str(error), exit_code=error.exit_code)
    _show(error, job)
    return dataclasses.replace(job, state=FAILED, error=message(error), exit_code=exit_code(error))


def _train_when_free(job: Job, journal: Journal, stop: Stop, train: Callable[[], None]) -> None:
    """Train, as soon as no other process writes the run; StoppedError if a signal comes before."""
    is_first = True
    while True:
        try:
            return train()
        except LockedError as error:
            if is_first:
                console.note(f"ltr run: {error}; waiting until it ends")
                record(journal, dataclasses.replace(job, state=WAITING, error=f"{error}"))
            is_first = False
        time.sleep(POLL)
        if stopped := stop.error():
            raise stopped


def _show(error: Exception, job: Job) -> None:
    """Print an error, and where its traceback is; a traceback itself if the run had not begun."""
    if is_known(error):
        console.note(f"ltr run: {message(error)}")
    elif job.folder and (log := local(job.folder) / "log.txt").is_file():
        console.note(f"ltr run: {message(error)}; its traceback is in {log}")
    else:
        traceback.print_exception(error)


def record(journal: Journal, job: Job) -> None:
    """Record a job; one that cannot be recorded is trained all the same, and stops no other."""
    try:
        journal.write(job)
    except OSError as error:
        console.note(f"ltr run: {message(error)}")
