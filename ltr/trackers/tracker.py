"""Interface of trackers: a class with three methods, and what it gets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from ltr.addresses import kept_here
from ltr.config.schema import Experiment
from ltr.store.settings import extent, settings

End = Literal["finished", "stopped", "failed"]


class Scalar(NamedTuple):
    """Value of a named quantity of an arm at a step."""

    arm: str
    name: str
    step: int
    value: float


class Subject(NamedTuple):
    """Run that a tracker shows.

    Attributes:
        folder: the run folder.
        beside: folder of the tracker's files, the parent of the run folder; `outputs` for a run in a bucket.
        name: name of the folder, with the numbers of replicates and draws over which means are taken.
        knobs: knobs that differ from their defaults and never change, by dotted name.
        extent: requested rounds, replicates, draws and arms (`ltr.store.settings.extent`), which can grow.
    """

    folder: Path
    beside: Path
    name: str
    knobs: Mapping[str, Any]
    extent: Mapping[str, Any]


class Tracker(Protocol):
    """Interface of a tracker.

    Attributes:
        is_new: whether the tracker had no run of this name before.
    """

    is_new: bool

    def __init__(self, subject: Subject) -> None:
        """Begin or continue a run; files go beside its folder."""

    def add(self, scalars: list[Scalar]) -> None:
        """Send scalars."""

    def close(self, end: End) -> None:
        """Finish the run."""


def subject(experiment: Experiment, folder: Path) -> Subject:
    """Return the run that trackers show for an experiment and its run folder."""
    requested = extent(experiment)
    draws = {arm: experiment.draws(arm) for arm in experiment.arms if experiment.draws(arm) > 1}
    name = "-".join(
        [
            folder.name,
            f"{experiment.replicates}_replicates",
            *(f"{arm}_{count}_draws" for arm, count in draws.items()),
        ]
    )
    knobs = {knob: value for knob, value in settings(experiment).items() if knob not in requested}
    return Subject(folder, kept_here(folder.parent), name, knobs, requested)
