"""Experiment tracking: learning curves and rounds in TensorBoard, MLflow or Weights & Biases.

A tracker is a class with three methods in a file of its own. If a tracker fails, ltr logs one warning and
continues without it: a tracker never stops a run.

Trackers get means over replicates and draws. A run with more replicates or draws has other means, so it gets
a name of its own. Further rounds and arms are added to the existing run.
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
from ltr.core.extras import install_command
from ltr.errors import ConfigError, StoppedError
from ltr.store.settings import extent, settings
from ltr.trackers.registry import TRACKERS

log = logging.getLogger(__name__)

CURVES = ("train_loss", "val_loss", "val_accuracy")
ROUNDS = ("accuracy_at_early_stop", "early_stop_step", "final_accuracy", "density")

FILE = "trackers.json"
"""File in a run folder, with the rounds and arms that were sent to each tracker."""

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
        name: name of the folder, with the numbers of replicates and draws over which means are taken.
        knobs: knobs that differ from their defaults and never change, by dotted name.
        extent: requested rounds, replicates, draws and arms (`ltr.store.settings.extent`), which can grow.
    """

    folder: Path
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


class SentRecord:
    """Record of the rounds and arms that were sent, in a file; a resumed run sends none of them twice.

    Args:
        file: path of the record.
        key: name of the tracker and of its run.
        is_new: whether to drop earlier entries of this key.
    """

    def __init__(self, file: Path, key: str, is_new: bool) -> None:
        self._file, self._key = file, key
        self._all = {} if not file.exists() else json.loads(file.read_text())
        if is_new:
            self._all[key] = []

    def unsent(self, round_number: int, scalars: list[Scalar]) -> list[Scalar]:
        """Select the scalars of a round whose arm was not sent for this round."""
        before = self._all.get(self._key, [])
        return [scalar for scalar in scalars if [round_number, scalar.arm] not in before]

    def add(self, round_number: int, scalars: list[Scalar]) -> None:
        """Record that scalars of a round were sent."""
        arms = dict.fromkeys(scalar.arm for scalar in scalars)
        self._all.setdefault(self._key, []).extend([round_number, arm] for arm in arms)
        atomic.write_text(self._file, json.dumps(self._all))


class Tracked:
    """Wrapper of a tracker, or of none, that never raises."""

    def __init__(self, tracker: Tracker | None, sent: SentRecord | None = None) -> None:
        self._tracker, self._sent = tracker, sent

    def add(self, round_number: int, scalars: list[Scalar]) -> None:
        """Send the scalars of a round that were not sent yet."""
        with self._warned():
            if self._tracker and self._sent and (new := self._sent.unsent(round_number, scalars)):
                self._tracker.add(new)
                self._sent.add(round_number, new)

    def close(self, end: End) -> None:
        """Finish the run."""
        with self._warned():
            if self._tracker:
                self._tracker.close(end)

    @contextlib.contextmanager
    def _warned(self) -> Iterator[None]:
        """Drop a tracker that fails, with a warning, and try to close it."""
        try:
            yield
        except Exception as error:
            message = " ".join(str(error).split()) or repr(error)
            log.warning("tracker: %s; the run continues without it", message)
            failed, self._tracker = self._tracker, None
            if failed is not None:
                with contextlib.suppress(Exception):
                    failed.close("failed")


def require(name: str) -> None:
    """Raise ConfigError if the package of a tracker cannot be imported."""
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
    """Return the message for a run that trains nothing, so nothing is tracked."""
    return (
        f"tracker={name}: nothing is sent, as nothing is left to train; more rounds or replicates are sent "
        "when they are trained; ltr report makes a page"
    )


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
    return Subject(folder, name, knobs, requested)


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
        return Tracked(tracker, SentRecord(subject.folder / FILE, f"{name} {subject.name}", tracker.is_new))
    except Exception as error:
        log.warning("tracker=%s: %s; the run continues without it", name, " ".join(str(error).split()))
        return Tracked(None)


def scalars(metrics: pd.DataFrame, results: pd.DataFrame, round_number: int) -> list[Scalar]:
    """Return the scalars of a finished round, means over replicates and draws.

    Args:
        metrics: rows of the metrics table, which give each arm's learning curves.
        results: rows of the results table, which give each arm's results.
        round_number: the finished round.
    """
    curves = _curves(metrics[metrics["round"] == round_number], round_number)
    ends = _ends(results[results["round"] == round_number], round_number)
    return [*curves, *ends]


def _curves(metrics: pd.DataFrame, round_number: int) -> Iterator[Scalar]:
    means = metrics.groupby(["arm", "step"])[list(CURVES)].mean()
    for row in means.reset_index().to_dict("records"):
        for name in CURVES:
            if not math.isnan(row[name]):  # there is no training loss before the first step
                yield Scalar(row["arm"], f"round_{round_number:02}/{name}", row["step"], row[name])


def _ends(results: pd.DataFrame, round_number: int) -> Iterator[Scalar]:
    for row in results.groupby("arm")[list(ROUNDS)].mean().reset_index().to_dict("records"):
        for name in ROUNDS:
            yield Scalar(row["arm"], name, round_number, row[name])
