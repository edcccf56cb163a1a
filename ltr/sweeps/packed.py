"""Packed sweeps: jobs on this machine train together in this process, where nothing else is chosen."""

import dataclasses
import time
from collections.abc import Sequence

from ltr.config.overrides import typed_word
from ltr.config.words import Word
from ltr.core.plural import number_of
from ltr.experiment import together
from ltr.experiment.signals import StopAll
from ltr.experiment.together import Request
from ltr.report import console
from ltr.report.output import command_line
from ltr.store.lock import LockedError, is_locked
from ltr.sweeps import job
from ltr.sweeps.journal import WAITING, Job, Journal
from ltr.sweeps.plan import Plan


def is_packed(words: Sequence[str]) -> bool:
    """Return whether the jobs of a sweep train together: no word chooses a launcher, or configures Hydra."""
    return not any(Word.split(word).is_for_hydra for word in words)


def train(planned: Plan, journal: Journal) -> None:
    """Train the missing jobs of a plan, and record each."""
    numbers = planned.missing
    with StopAll(journal.stop_file) as stop:
        while numbers := _train(planned, numbers, journal, stop):
            console.note(f"ltr run: waiting for {number_of(len(numbers), 'run')} of other processes")
            while not stop.error() and all(is_locked(planned.folders[number]) for number in numbers):
                time.sleep(job.POLL)


def _train(planned: Plan, numbers: Sequence[int], journal: Journal, stop: StopAll) -> list[int]:
    """Train jobs; return those whose runs another process writes, which wait."""
    locked: list[int] = []
    jobs: dict[int, Job] = {}

    def on_end(number: int, error: Exception | None) -> None:
        if isinstance(error, LockedError):
            locked.append(number)
            job.record(journal, dataclasses.replace(jobs[number], state=WAITING, error=str(error)))
        else:
            job.record(journal, job.ended(jobs[number], error))

    for places in together.packs([planned.experiments[number] for number in numbers]):
        pack = [numbers[place] for place in places]
        requests = {}
        for number in pack:
            words = [typed_word(word) for word in planned.combinations[number]]
            jobs[number] = dataclasses.replace(
                Job.starting(number, words), folder=str(planned.folders[number])
            )
            requests[number] = Request(planned.experiments[number], words)
            if error := stop.error():
                on_end(number, error)
                del requests[number]
            else:
                job.record(journal, jobs[number])
        if requests:
            together.conduct(requests, stop, command_line(), on_end)
    return locked
