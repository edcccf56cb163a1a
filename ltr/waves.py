"""Trains any number of lanes, a wave of as many as the devices hold at a time.

The host visits the devices about once a second: between two visits of the compiled program it
collects the metrics, tells the observer, and may stop. Where it visits changes no number.
"""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ltr import devices
from ltr.devices import Placement
from ltr.errors import LtrError
from ltr.optimizers import Optimizer
from ltr.training import EVALUATIONS, Examples, Lane, Metrics, Program, Visit

VISIT_SECONDS = 1.0


class Start(NamedTuple):
    """What a lane starts from: weights, mask, and the key of its data order, as NumPy arrays."""

    params: Any
    mask: Any
    order_key: np.ndarray


class Outcome(NamedTuple):
    """What became of a lane.

    Attributes:
        params: its weights after the last step, NumPy float32.
        metrics: a value per evaluation, NumPy float32.
        seconds: device time it took.
    """

    params: Any
    metrics: Metrics
    seconds: float


class Wave(NamedTuple):
    """Lanes under way: their states and metrics after `seconds` of training."""

    names: tuple[Any, ...]
    lanes: list[Lane]
    metrics: list[Metrics]
    seconds: float


class Snapshot(NamedTuple):
    """All that a later process needs to go on: lanes that are through, and the wave under way."""

    outcomes: dict[Any, Outcome]
    wave: Wave


class Progress(NamedTuple):
    """What the host finds on a visit.

    Attributes:
        names: the lanes in training.
        steps: steps that they took together since the visit before.
        accuracy: mean test accuracy of their latest evaluation.
        snapshot: copies the state of affairs from the devices.
    """

    names: Sequence[Any]
    steps: int
    accuracy: float
    snapshot: Callable[[], Snapshot]


class Trainer:
    """One compiled program, and the data it trains on, on the devices of a placement."""

    def __init__(self, program: Program, optimizer: Optimizer, data: Examples, placement: Placement) -> None:
        self.placement = placement
        self._program = devices.parallel(program, placement, donate=(0,))
        self._data = devices.replicate(data, placement)
        self._moments = jax.jit(optimizer.direction.init)

    def train(
        self,
        starts: Mapping[Any, Start],
        first_step: int,
        evaluate_at: np.ndarray,
        visit: Callable[[Progress], None],
        resume: Snapshot | None = None,
    ) -> dict[Any, Outcome]:
        """Train every lane from `first_step` to the last of `evaluate_at`.

        Args:
            starts: by lane name (any hashable).
            first_step: steps that the schedule has behind it.
            evaluate_at: int32 steps, ascending; the last one ends the training.
            visit: called about once a second; what it raises ends the training.
            resume: a snapshot of an earlier call; lanes that `starts` does not name are ignored.

        Raises:
            LtrError: a lane's loss is no longer finite; the message names lane and step.
        """
        outcomes = {name: done for name, done in resume.outcomes.items() if name in starts} if resume else {}
        wave = resume.wave if resume and set(resume.wave.names) <= set(starts) else None
        pending: list[Hashable] = [name for name in starts if name not in outcomes]
        while pending:
            if wave is None:
                names = tuple(pending[: self.placement.capacity])
                wave = Wave(names, [self.fresh(starts[name]) for name in names], [], 0.0)
            outcomes |= self._finish(wave, first_step, evaluate_at, visit, outcomes)
            pending = [name for name in pending if name not in outcomes]
            wave = None
        return outcomes

    def fresh(self, start: Start) -> Lane:
        """A lane that has taken no step."""
        moments = jax.tree.map(np.asarray, self._moments(start.params))
        return Lane(start.params, moments, start.mask, start.order_key)

    def _finish(
        self,
        wave: Wave,
        first_step: int,
        evaluate_at: np.ndarray,
        visit: Callable[[Progress], None],
        outcomes: dict[Any, Outcome],
    ) -> dict[Any, Outcome]:
        count = len(wave.names)
        lanes = devices.scatter(wave.lanes, self.placement)
        metrics = list(wave.metrics)
        seconds, began = wave.seconds, time.monotonic()
        pace = 1
        while (done := len(metrics[0].val_loss) if metrics else 0) < len(evaluate_at):
            step = int(evaluate_at[done - 1]) if done else first_step
            at = evaluate_at[done : done + min(pace, EVALUATIONS)]
            visited = time.monotonic()
            lanes, found = self._program(lanes, self._data, self._ask(step, at))
            metrics = _extended(metrics, devices.gather(found, count, self.placement), len(at))
            _require_finite(wave.names, metrics, evaluate_at)
            now = time.monotonic()
            pace = max(1, round(len(at) * VISIT_SECONDS / (now - visited)))
            spent = seconds + now - began
            # The devices' buffers are donated to the next visit: the snapshot must be taken before it.
            here, far = lanes, metrics
            visit(
                Progress(
                    wave.names,
                    count * (int(at[-1]) - step),
                    float(np.mean([lane.test_accuracy[-1] for lane in metrics])),
                    lambda here=here, far=far, spent=spent: Snapshot(  # type: ignore[misc]
                        dict(outcomes),
                        Wave(wave.names, devices.gather(here, count, self.placement), far, spent),
                    ),
                )
            )
        seconds += time.monotonic() - began
        params = devices.gather(lanes.params, count, self.placement)
        each = seconds / self.placement.lanes_per_device
        return {
            name: Outcome(*lane, each)
            for name, lane in zip(wave.names, zip(params, metrics, strict=True), strict=True)
        }

    def _ask(self, step: int, at: np.ndarray) -> Visit:
        padded = np.resize(at, EVALUATIONS).astype(np.int32)
        return devices.replicate(
            Visit(np.asarray(step, np.int32), padded, np.asarray(len(at), np.int32)), self.placement
        )


def _extended(metrics: list[Metrics], found: list[Metrics], count: int) -> list[Metrics]:
    new = [Metrics(*(values[:count] for values in lane)) for lane in found]
    if not metrics:
        return new
    return [
        Metrics(*(np.concatenate(pair) for pair in zip(*both, strict=True)))
        for both in zip(metrics, new, strict=True)
    ]


def _require_finite(names: Sequence[Any], metrics: Sequence[Metrics], evaluate_at: np.ndarray) -> None:
    for name, lane in zip(names, metrics, strict=True):
        bad = np.flatnonzero(~np.isfinite(lane.val_loss))
        if bad.size:
            raise LtrError(
                f"{name}: the loss is no longer finite at step {evaluate_at[bad[0]]}; "
                "lower optimizer.learning_rate"
            )
