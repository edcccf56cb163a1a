"""Where others look on: a run's curves and rounds in TensorBoard, MLflow or Weights & Biases.

A tracker is a class of three methods in a file of its own. One that fails is warned of once and asked no
more: it never stops a run.
"""

import importlib
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd

from ltr.errors import ConfigError

log = logging.getLogger(__name__)

CURVES = ("train_loss", "val_loss", "val_accuracy")
ROUNDS = ("accuracy_at_early_stop", "early_stop_step", "final_accuracy", "density")


class Scalar(NamedTuple):
    """A number to be seen: of an arm, by what it is called, at a step."""

    arm: str
    name: str
    step: int
    value: float


class Tracker(Protocol):
    """What a tracker does."""

    def __init__(self, run: str, folder: Path, config: Mapping[str, Any]) -> None:
        """Begin, or go on with, a run of that name; `folder` is where files may go."""

    def add(self, scalars: list[Scalar]) -> None:
        """Show numbers."""

    def close(self) -> None:
        """End."""


class Kind(NamedTuple):
    """The package that a tracker needs, an extra of its name, and its class, in the module of its name."""

    package: str
    implementation: str


TRACKERS = {
    "tensorboard": Kind("tensorboardX", "TensorBoard"),
    "mlflow": Kind("mlflow", "MLflow"),
    "wandb": Kind("wandb", "WeightsAndBiases"),
}
"""By name."""


class Tracked:
    """A tracker, or none, of which nothing can go wrong."""

    def __init__(self, tracker: Tracker | None) -> None:
        self._tracker = tracker

    def add(self, scalars: list[Scalar]) -> None:
        """Show numbers."""
        self._try("add", scalars)

    def close(self) -> None:
        """End."""
        self._try("close")

    def _try(self, what: str, *arguments: Any) -> None:
        if self._tracker is None:
            return
        try:
            getattr(self._tracker, what)(*arguments)
        except Exception as error:
            self._tracker = None
            log.warning(
                "tracker: %s; the run goes on without it", " ".join(str(error).split()) or repr(error)
            )


def require(name: str) -> None:
    """ConfigError if the package of a tracker cannot be used."""
    if name == "none":
        return
    try:
        importlib.import_module(TRACKERS[name].package)
    except Exception as error:
        raise ConfigError(
            f"tracker={name}: {TRACKERS[name].package} cannot be imported ({error}); "
            f"pip install -e '.[{name}]'"
        ) from None


def idle(name: str) -> str:
    """What to say of a tracker where nothing is trained, so that it is shown nothing."""
    return (
        f"tracker={name}: is shown nothing, as nothing is trained; ask for more rounds or replicates, and it "
        "is shown every round, or make a page with ltr report"
    )


def track(name: str, run: str, folder: Path, config: Mapping[str, Any]) -> Tracked:
    """Begin to track a run, by `none` not at all.

    Args:
        name: a key of `TRACKERS`, or `none`.
        run: what it is called.
        folder: the output root.
        config: its knobs by dotted name.
    """
    if name == "none":
        return Tracked(None)
    try:
        tracker = getattr(importlib.import_module(f"ltr.trackers.{name}"), TRACKERS[name].implementation)
        return Tracked(tracker(run, folder, config))
    except Exception as error:
        log.warning("tracker=%s: %s; the run goes on without it", name, " ".join(str(error).split()))
        return Tracked(None)


def scalars(metrics: pd.DataFrame, results: pd.DataFrame, round: int) -> list[Scalar]:
    """What a finished round adds, means over replicates and draws: each arm's curves, and where they end."""
    of_round = (table[table["round"] == round] for table in (metrics, results))
    return [
        scalar for table, of in zip(of_round, (_curves, _ends), strict=True) for scalar in of(table, round)
    ]


def _curves(metrics: pd.DataFrame, round: int) -> Iterator[Scalar]:
    means = metrics.groupby(["arm", "step"])[list(CURVES)].mean()
    for row in means.reset_index().to_dict("records"):
        for name in CURVES:
            if not math.isnan(row[name]):  # before the first step there is no loss of training
                yield Scalar(row["arm"], f"round_{round:02}/{name}", row["step"], row[name])


def _ends(results: pd.DataFrame, round: int) -> Iterator[Scalar]:
    for row in results.groupby("arm")[list(ROUNDS)].mean().reset_index().to_dict("records"):
        for name in ROUNDS:
            yield Scalar(row["arm"], name, round, row[name])
