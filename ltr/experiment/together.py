"""Runs that train together in one process: start-up, data and compilation are paid once.

Runs with the same programs advance side by side, as many at a time as the memory holds. Folders, tables,
checkpoints and errors are those of separate runs.
"""

import contextlib
import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ltr.config.schema import Experiment
from ltr.core import cache_paths, machine
from ltr.core.plural import number_of
from ltr.engine import devices
from ltr.engine.packing import Layers
from ltr.experiment import joint, runner
from ltr.experiment.placement import needed, place
from ltr.experiment.runtimes import Runtimes, programs
from ltr.experiment.signals import Stop
from ltr.experiment.spec import RunSpec
from ltr.report.output import Output
from ltr.report.progress import Progresses
from ltr.store.identity import folder_name
from ltr.trackers.registry import TRACKERS

MOST = 64
"""Largest number of runs at a time, as each holds several files open."""


class Request(NamedTuple):
    """Run that is requested: its configuration, and the words of the command that repeats it."""

    experiment: Experiment
    words: Sequence[str]


def packs(experiments: Sequence[Experiment], processes: int = 1) -> list[list[int]]:
    """Divide runs, by number, into those that train side by side.

    Runs of one folder train one after another, and so do runs that a tracker follows.

    `processes`: number of processes that share the memory of this machine.
    """
    alike: dict[Hashable, list[int]] = {}
    folders: list[str] = []
    for number, experiment in enumerate(experiments):
        folder = f"{experiment.output_root}/{folder_name(experiment)}"
        alone = number if TRACKERS[experiment.tracker].code else None
        key = programs(experiment), folders.count(folder), alone
        alike.setdefault(key, []).append(number)
        folders.append(folder)
    return [
        numbers[first : first + size]
        for numbers in alike.values()
        for size in [_that_fit([experiments[number] for number in numbers], processes)]
        for first in range(0, len(numbers), size)
    ]


def _that_fit(experiments: Sequence[Experiment], processes: int) -> int:
    """Return how many of alike runs the memory of each process holds at a time, at least one."""
    first, most = experiments[0], min(len(experiments), MOST)
    available = machine.memory() if first.check_memory and most > 1 else None
    if available is None:
        return most
    replicates = max(experiment.replicates for experiment in experiments)
    largest = replace(RunSpec.from_experiment(first), experiment=replace(first, replicates=replicates))
    need = needed(largest)
    placement = place(replace(largest, experiment=replace(first, replicates=most * replicates)))
    room = available // processes - replace(need, networks=0).of_host(placement)
    return max(1, min(most, room // need.networks))


def conduct(
    requests: Mapping[int, Request],
    stop: Stop,
    output: Output,
    on_end: Callable[[int, Exception | None], None],
    layers: Layers | None = None,
) -> None:
    """Train the missing lanes of a pack; a run that fails leaves the others.

    Args:
        requests: runs of one of `packs`, by their numbers.
        stop: checked after each chunk for a signal; the caller enters it.
        output: destination of messages and progress; tables are printed for a run alone.
        on_end: called at the end of each run with its number and the error that it failed by.
        layers: layers that train packed in new runs; None to choose them here.
    """
    devices.start(cache_paths.compiled())
    runtimes, numbers = Runtimes(len(requests), layers), [*requests]
    handler, shown = output.warnings(), output.progress
    with contextlib.ExitStack() as stack:
        stack.enter_context(runner.logged_by(handler))
        if len(requests) > 1:
            output.begin(f"{number_of(len(requests), 'run')} train side by side")
            handler.addFilter(_Once())
            progresses = Progresses(output.progress(), f"{len(requests)} runs, ")
            shown = stack.enter_context(progresses).of_run
            output = output._replace(results=None, begin=lambda _: None, message=_once(output.message))
        conduct_one = partial(
            runner.trainings, stop=stop, output=output._replace(progress=shown), runtimes=runtimes
        )
        joint.conduct(
            [conduct_one(*request) for request in requests.values()],
            lambda place, error: on_end(numbers[place], error),
        )


class _Once(logging.Filter):
    """Filter that passes each message once, as runs side by side log many alike."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message is new."""
        is_new = record.getMessage() not in self._seen
        self._seen.add(record.getMessage())
        return is_new


def _once(write: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that writes each text once."""
    seen: set[str] = set()

    def write_new(text: str) -> None:
        if text not in seen:
            seen.add(text)
            write(text)

    return write_new
