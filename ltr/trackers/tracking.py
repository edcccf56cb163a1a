"""Where others look on: a run's curves and rounds in TensorBoard, MLflow or Weights & Biases.

A tracker is a class of three methods in a file of its own. One that fails is warned of once and asked no
more: it never stops a run.

What a tracker shows are means over replicates and draws. So a run of more of these is shown beside
that of fewer, under a name of its own; more rounds and arms are added to what is there.
"""

import contextlib
import importlib
import json
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import pandas as pd

from ltr.config.schema import Experiment
from ltr.core import atomic
from ltr.errors import ConfigError, StoppedError
from ltr.extras import install_command
from ltr.store.settings import extent, settings
from ltr.trackers.registry import TRACKERS

log = logging.getLogger(__name__)

CURVES = ("train_loss", "val_loss", "val_accuracy")
ROUNDS = ("accuracy_at_early_stop", "early_stop_step", "final_accuracy", "density")

SHOWN = "trackers.json"
"""The file of a run folder that says which rounds of which arms are shown already, and where."""

End = Literal["finished", "stopped", "failed"]


class Scalar(NamedTuple):
    """A number to be seen: of an arm, by what it is called, at a step."""

    arm: str
    name: str
    step: int
    value: float


class Subject(NamedTuple):
    """What is tracked.

    Attributes:
        folder: the run folder.
        name: the folder's name, with the replicates and draws that means are taken over.
        knobs: those beyond their defaults, by dotted name; none of them ever changes.
        extent: how much was asked for (`ltr.store.settings.extent`), which grows.
    """

    folder: Path
    name: str
    knobs: Mapping[str, Any]
    extent: Mapping[str, Any]


class Tracker(Protocol):
    """What a tracker does.

    Attributes:
        is_new: whether nothing of this name was shown before.
    """

    is_new: bool

    def __init__(self, subject: Subject) -> None:
        """Begin, or go on with, a run; files may go beside its folder."""

    def add(self, scalars: list[Scalar]) -> None:
        """Show numbers."""

    def close(self, end: End) -> None:
        """End."""


class Shown:
    """Remembers, in a file, which rounds of which arms are shown: a resumed run shows none twice.

    Args:
        file: where.
        key: of the tracker and what it calls the run.
        is_new: whether to forget what was shown under this key before.
    """

    def __init__(self, file: Path, key: str, is_new: bool) -> None:
        self._file, self._key = file, key
        self._all = {} if not file.exists() else json.loads(file.read_text())
        if is_new:
            self._all[key] = []

    def lacking(self, round_number: int, scalars: list[Scalar]) -> list[Scalar]:
        """Those of a round whose arm was not shown in it."""
        before = self._all.get(self._key, [])
        return [one for one in scalars if [round_number, one.arm] not in before]

    def add(self, round_number: int, scalars: list[Scalar]) -> None:
        """Remember that they are shown."""
        arms = dict.fromkeys(one.arm for one in scalars)
        self._all.setdefault(self._key, []).extend([round_number, arm] for arm in arms)
        atomic.write_text(self._file, json.dumps(self._all))


class Tracked:
    """A tracker, or none, of which nothing can go wrong."""

    def __init__(self, tracker: Tracker | None, shown: Shown | None = None) -> None:
        self._tracker, self._shown = tracker, shown

    def add(self, round_number: int, scalars: list[Scalar]) -> None:
        """Show the numbers of a round, where they are not shown yet."""
        with self._warned():
            if self._tracker and self._shown and (new := self._shown.lacking(round_number, scalars)):
                self._tracker.add(new)
                self._shown.add(round_number, new)

    def close(self, end: End) -> None:
        """End."""
        with self._warned():
            if self._tracker:
                self._tracker.close(end)

    @contextlib.contextmanager
    def _warned(self) -> Iterator[None]:
        """Give up a tracker that fails; it is told to end, if it still can."""
        try:
            yield
        except Exception as error:
            said = " ".join(str(error).split()) or repr(error)
            log.warning("tracker: %s; the run goes on without it", said)
            given_up, self._tracker = self._tracker, None
            if given_up is not None:
                with contextlib.suppress(Exception):
                    given_up.close("failed")


def require(name: str) -> None:
    """ConfigError if the package of a tracker cannot be used."""
    tracker = TRACKERS[name]
    try:
        if tracker.package:
            importlib.import_module(tracker.package)
    except Exception as error:
        command = f"pip install {tracker.package}" if tracker.distribution else install_command(name)
        raise ConfigError(
            f"tracker={name}: {tracker.package} cannot be imported ({error}); type: {command}"
        ) from None


def idle(name: str) -> str:
    """What to say of a tracker where nothing is trained, so that it is shown nothing."""
    return (
        f"tracker={name}: is shown nothing, as nothing is trained; ask for more rounds or replicates, and it "
        "is shown every round, or make a page with ltr report"
    )


def subject(experiment: Experiment, folder: Path) -> Subject:
    """What there is to track of an experiment in its run folder."""
    asked = extent(experiment)
    draws = {arm: experiment.draws(arm) for arm in experiment.arms if experiment.draws(arm) > 1}
    name = "-".join(
        [
            folder.name,
            f"{experiment.replicates}_replicates",
            *(f"{arm}_{count}_draws" for arm, count in draws.items()),
        ]
    )
    knobs = {knob: value for knob, value in settings(experiment).items() if knob not in asked}
    return Subject(folder, name, knobs, asked)


@contextlib.contextmanager
def track(name: str, subject: Subject) -> Iterator[Tracked]:
    """Track a run; `name` is a key of `TRACKERS`."""
    tracked = _begun(name, subject)
    end: End = "failed"
    try:
        yield tracked
        end = "finished"
    except (StoppedError, KeyboardInterrupt):
        end = "stopped"
        raise
    finally:
        tracked.close(end)


def _begun(name: str, subject: Subject) -> Tracked:
    if not TRACKERS[name].code:
        return Tracked(None)
    try:
        tracker = TRACKERS[name].load()(subject)
        return Tracked(tracker, Shown(subject.folder / SHOWN, f"{name} {subject.name}", tracker.is_new))
    except Exception as error:
        log.warning("tracker=%s: %s; the run goes on without it", name, " ".join(str(error).split()))
        return Tracked(None)


def scalars(metrics: pd.DataFrame, results: pd.DataFrame, round_number: int) -> list[Scalar]:
    """What a finished round adds, means over replicates and draws: each arm's curves, and where they end."""
    of_round = (table[table["round"] == round_number] for table in (metrics, results))
    return [
        scalar
        for table, of in zip(of_round, (_curves, _ends), strict=True)
        for scalar in of(table, round_number)
    ]


def _curves(metrics: pd.DataFrame, round_number: int) -> Iterator[Scalar]:
    means = metrics.groupby(["arm", "step"])[list(CURVES)].mean()
    for row in means.reset_index().to_dict("records"):
        for name in CURVES:
            if not math.isnan(row[name]):  # before the first step there is no loss of training
                yield Scalar(row["arm"], f"round_{round_number:02}/{name}", row["step"], row[name])


def _ends(results: pd.DataFrame, round_number: int) -> Iterator[Scalar]:
    for row in results.groupby("arm")[list(ROUNDS)].mean().reset_index().to_dict("records"):
        for name in ROUNDS:
            yield Scalar(row["arm"], name, round_number, row[name])
