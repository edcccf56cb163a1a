"""Worker processes of a packed sweep: each trains a part of the jobs on a part of the cores.

Runs are opened, saved and drawn on one core of a process, however many train. For small networks that takes
as long as their training.
"""

import itertools
import os
import selectors
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection

import jax

from ltr.core import machine
from ltr.core.plural import number_of
from ltr.engine.packing import Layers
from ltr.errors import LtrError
from ltr.experiment import runtimes, together
from ltr.experiment.placement import needed, place
from ltr.experiment.signals import StopAll
from ltr.experiment.spec import RunSpec
from ltr.report import console
from ltr.report.output import command_line
from ltr.report.progress import Pace, Progresses
from ltr.report.status_line import show_status
from ltr.sweeps import packed, worker
from ltr.sweeps.journal import Journal
from ltr.sweeps.packed import Part
from ltr.sweeps.plan import Plan
from ltr.sweeps.worker import Advanced, Printed, Worker
from ltr.trackers.registry import TRACKERS

LEAST_JOBS = 4
"""Fewest jobs of a worker; the start of one takes as long as opening, saving and drawing two runs."""

SLACK = 1.1
"""Largest duration of the training, relative to the shortest, at which more workers are preferred."""


def train(planned: Plan, numbers: Sequence[int], journal: Journal) -> str:
    """Train jobs of a plan in this process, or in workers where these are faster.

    Returns:
        Why a worker ended too early; empty if none did.
    """
    experiments = [planned.experiments[number] for number in numbers]
    packs = [[numbers[place] for place in places] for places in together.packs(experiments)]
    count = _count(planned, packs)
    if count == 1:
        packed.train(Part(planned, numbers, journal), command_line())
        return ""
    layers = _layers(planned, packs)
    return _train([Part(planned, part, journal, count, layers) for part in divided(packs, count)])


def prepare(jobs: int) -> None:
    """Let workers for this many jobs start faster, if there will be any."""
    if fastest(jobs, len(machine.cores())) > 1:
        worker.import_ahead()


def fastest(jobs: int, cores: int) -> int:
    """Return in how many workers jobs of equal length train fastest on some cores.

    All lanes of a worker share its cores, so fewer workers divide the training more evenly. The largest
    number is returned whose training takes at most `SLACK` of the shortest.
    """
    durations = {
        count: -(-jobs // count) / (cores // count)
        for count in range(1, max(1, min(cores, jobs // LEAST_JOBS)) + 1)
    }
    shortest = min(durations.values())
    return max(count for count, duration in durations.items() if duration <= SLACK * shortest)


def divided(packs: Iterable[Sequence[int]], count: int) -> list[list[int]]:
    """Divide jobs into `count` parts, each with its share of every pack, as far as there are as many."""
    jobs = [*itertools.chain.from_iterable(packs)]
    return [jobs[part::count] for part in range(count)]


def _count(planned: Plan, packs: Sequence[Sequence[int]]) -> int:
    """Return the number of workers for packs of jobs; 1 for none but this process.

    A run keeps the devices that it names. Accelerators are not divided.
    """
    experiments = [planned.experiments[number] for pack in packs for number in pack]
    has_cores = hasattr(os, "sched_setaffinity") and jax.devices()[0].platform == "cpu"
    if not has_cores or any(
        experiment.devices or experiment.parallel == "batch" or TRACKERS[experiment.tracker].code
        for experiment in experiments
    ):
        return 1
    count = fastest(len(experiments), len(machine.cores()))
    available = machine.memory()
    for pack in packs:
        spec = RunSpec.from_experiment(planned.experiments[pack[0]])
        placement = place(spec)
        if placement.splits_batches:
            return 1
        if available is not None and spec.experiment.check_memory and count > 1:
            devices_each = placement.devices[: len(machine.cores()) // count]
            need = needed(spec).of_host(placement._replace(devices=devices_each))
            count = max(1, min(count, available // need))
    return count


def _layers(planned: Plan, packs: Sequence[Sequence[int]]) -> dict[int, Layers | None]:
    """Return the layers that train packed, as they are chosen where all cores train, by number of the job.

    Jobs that cannot be trained, as their data are missing, are left out, as each says so itself.
    """
    chosen: dict[int, Layers | None] = {}
    for pack in packs:
        spec = RunSpec.from_experiment(planned.experiments[pack[0]])
        with suppress(LtrError):
            layers = runtimes.chosen_layers(runtimes.of_all(spec, len(pack)), show_status)
            chosen |= dict.fromkeys(pack, layers)
    return chosen


def _train(parts: Sequence[Part]) -> str:
    """Train each part in a worker; return why one ended too early."""
    jobs, output = sum(len(part.numbers) for part in parts), command_line()
    output.begin(f"{number_of(jobs, 'run')} train side by side in {len(parts)} processes")
    with (
        ExitStack() as stack,
        StopAll(parts[0].journal.stop_file),
        Progresses(output.progress(), f"{len(parts)} processes, ") as progresses,
    ):
        shown, workers = _Shown(progresses), []
        for part, cores in zip(parts, _shares(len(parts)), strict=True):
            workers.append(Worker.start(part, cores))
            stack.callback(workers[-1].kill)
        shown.until_closed([each.link for each in workers])
        failures = [each.failure for each in workers]
    return next(filter(None, failures), "")


def _shares(count: int) -> list[list[int]]:
    """Return the cores of each of `count` workers, as many for each."""
    cores = machine.cores()
    return [cores[part::count][: len(cores) // count] for part in range(count)]


class _Shown:
    """What workers print and how they advance; equal lines are printed once."""

    def __init__(self, progresses: Progresses) -> None:
        self._progresses = progresses
        self._paces: dict[tuple[Connection, int], Pace] = {}
        self._printed: set[str] = set()

    def until_closed(self, links: Iterable[Connection]) -> None:
        """Show messages until all links are closed."""
        with selectors.DefaultSelector() as open_links:
            for link in links:
                open_links.register(link, selectors.EVENT_READ, link)
            while open_links.get_map():
                for key, _ in open_links.select():
                    try:
                        self._show(key.data, key.data.recv())
                    except (EOFError, OSError):
                        open_links.unregister(key.data)

    def _show(self, link: Connection, message: Printed | Advanced) -> None:
        if isinstance(message, Printed):
            if message.text not in self._printed:
                console.note(message.text.removesuffix("\n"))
            self._printed.add(message.text)
            return
        pace = self._paces.setdefault((link, message.pack), Pace(0.0, time.monotonic))
        pace.done, pace.total = message.done, message.total
        self._progresses.update(message.label, pace)
