"""Packed sweeps: jobs on this machine train together, where nothing else is chosen."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ltr.addresses import shown
from ltr.config.overrides import typed_word
from ltr.config.words import Word
from ltr.core.plural import number_of
from ltr.engine.packing import Layers
from ltr.errors import LockedError
from ltr.experiment import together
from ltr.experiment.signals import StopAll
from ltr.experiment.together import Request
from ltr.report import console
from ltr.report.output import Output
from ltr.store.lock import is_locked
from ltr.sweeps import job
from ltr.sweeps.journal import WAITING, Job, Journal
from ltr.sweeps.plan import Plan


class Part(NamedTuple):
    """Jobs of a plan that one process trains.

    Attributes:
        planned: plan of the sweep.
        numbers: numbers of the jobs.
        journal: journal in which they are recorded.
        processes: number of processes that share this machine.
        layers: layers that train packed, by number of the job (see `ltr.experiment.together.conduct`).
    """

    planned: Plan
    numbers: Sequence[int]
    journal: Journal
    processes: int = 1
    layers: Mapping[int, Layers | None] = {}


def is_packed(words: Sequence[str]) -> bool:
    """Return whether the jobs of a sweep train together: no word chooses a launcher, or configures Hydra."""
    return not any(Word.split(word).is_for_hydra for word in words)


def train(part: Part, output: Output) -> None:
    """Train the jobs of a part in this process, and record each."""
    folders, numbers = part.planned.folders, part.numbers
    with StopAll(part.journal.stop_file) as stop:
        while numbers := _train(part._replace(numbers=numbers), stop, output):
            console.note(f"ltr run: waiting for {number_of(len(numbers), 'run')} of other processes")
            while not stop.error() and all(is_locked(folders[number]) for number in numbers):
                time.sleep(job.POLL)


def _train(part: Part, stop: StopAll, output: Output) -> list[int]:
    """Train jobs; return those whose runs another process writes, which wait."""
    planned, journal, numbers = part.planned, part.journal, part.numbers
    locked: list[int] = []
    jobs: dict[int, Job] = {}

    def on_end(number: int, error: Exception | None) -> None:
        if isinstance(error, LockedError):
            locked.append(number)
            job.record(journal, dataclasses.replace(jobs[number], state=WAITING, error=str(error)))
        else:
            job.record(journal, job.ended(jobs[number], error))

    for places in together.packs([planned.experiments[number] for number in numbers], part.processes):
        pack = [numbers[place] for place in places]
        requests = {}
        for number in pack:
            words = [typed_word(word) for word in planned.combinations[number]]
            jobs[number] = dataclasses.replace(
                Job.starting(number, words), folder=shown(str(planned.folders[number]))
            )
            requests[number] = Request(planned.experiments[number], words)
            if error := stop.error():
                on_end(number, error)
                del requests[number]
            else:
                job.record(journal, jobs[number])
        if requests:
            together.conduct(requests, stop, output, on_end, part.layers.get(pack[0]))
    return locked
