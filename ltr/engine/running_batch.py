"""Batches of lanes in training: their state on the devices, their metrics and outcomes on the host."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Int32, Integer

from ltr.core import masks
from ltr.core.types import Params
from ltr.engine import devices
from ltr.engine.ahead import CompiledAhead
from ltr.engine.devices import Placement
from ltr.engine.examples import Examples
from ltr.engine.packing import Packing
from ltr.engine.program import MAX_SEGMENTS, Chunk, Metrics, Program
from ltr.methods.method import FoundMask, Lane


class Outcome(NamedTuple):
    """Result of training a lane, to its last step or until it diverged.

    Attributes:
        params: weights of its network after the last step, NumPy arrays; None if they are not kept.
        density: density of its network after the last step, 0 to 1.
        metrics: NumPy arrays.
        seconds: device time, without compilation.
        notes: columns that its program and its method add; none if it diverged.
        found: mask that the training found; None if it found none, or if the mask is not kept.
        operations: FLOPs per image of the training, if its method counts them.
    """

    params: Params
    density: float
    metrics: Metrics
    seconds: float
    notes: Mapping[str, Any] = {}
    found: FoundMask | None = None
    operations: int | None = None

    @property
    def is_diverged(self) -> bool:
        """Whether the loss or the weights are no longer finite, which the last evaluation shows as NaN."""
        return bool(np.isnan(self.metrics.val_loss[-1]))


class LaneBatch(NamedTuple):
    """Lanes in training: their states at `step`, and their metrics so far, after `seconds` of training."""

    names: tuple[Any, ...]
    lanes: list[Lane]
    step: int
    metrics: list[Metrics]
    seconds: float


class Compiled(NamedTuple):
    """Program of a batch, its compiled function, packing, data and placement."""

    program: Program
    run: CompiledAhead
    packing: Packing
    data: Examples
    placement: Placement


class RunningBatch:
    """A batch on the devices, and its metrics on the host.

    A lane that diverges keeps its place, where it changes nothing of the others, until the batch is over.
    """

    def __init__(
        self, compiled: Compiled, batch: LaneBatch, evaluate_at: Int32[np.ndarray, "evaluations"]
    ) -> None:
        self._program, self._run, self._packing, self._data, self._placement = compiled
        self._step, self._evaluate_at = batch.step, evaluate_at
        self._pack_specs = self._packing.pack_specs(batch.lanes)
        packed = [self._packing.pack(*pair) for pair in zip(batch.lanes, self._pack_specs, strict=True)]
        self._lanes = devices.scatter(packed, self._placement)
        self._metrics, self._seconds = batch.metrics, batch.seconds
        self.names = batch.names

    @property
    def is_over(self) -> bool:
        """Whether the lanes have taken their last step, or all have diverged."""
        return self._is_complete or (self._done > 0 and not self._finite)

    @property
    def accuracy(self) -> float:
        """Mean validation accuracy at the latest evaluation, without diverged lanes; NaN without others."""
        return float(np.mean([lane.val_accuracy[-1] for lane in self._finite] or np.nan))

    @property
    def _is_complete(self) -> bool:
        return self._done == len(self._evaluate_at)

    @property
    def _finite(self) -> list[Metrics]:
        """Metrics of the lanes that have not diverged."""
        steps = self._evaluate_at[: self._done]
        return [lane for lane in self._metrics if lane.divergence(steps) is None]

    @property
    def _done(self) -> int:
        return len(self._metrics[0].val_loss) if self._metrics else 0

    def advance(self, steps: int) -> int:
        """Train for up to `steps` more steps; return the steps taken, summed over the lanes.

        Compilation, which a later batch of the same program is spared, is not part of its seconds.
        """
        step, done = self._step, self._done
        stops, evaluate = _stops(self._evaluate_at[done:], step, steps)
        chunk = Chunk(
            np.asarray(step, np.int32),
            np.asarray(self._evaluate_at[done - 1] if done else step, np.int32),
            np.resize(stops, MAX_SEGMENTS).astype(np.int32),
            np.resize(evaluate, MAX_SEGMENTS),
            np.asarray(len(stops), np.int32),
            np.asarray(self._evaluate_at[-1], np.int32),
        )
        arguments = self._lanes, self._data, devices.replicate(chunk, self._placement)
        run = self._run.version(*arguments)
        began = time.monotonic()
        self._lanes, *results = run(*arguments)
        new, early = (devices.gather(result, len(self.names), self._placement) for result in results)
        self._metrics = _extended(self._metrics, new, int(evaluate.sum()))
        if self._is_complete:
            self._metrics = [
                lane.with_test(int(np.argmin(lane.val_loss)), *map(float, test))
                for lane, test in zip(self._metrics, early, strict=True)
            ]
        self._step = int(stops[-1])
        self._seconds += time.monotonic() - began
        return len(self.names) * (self._step - step)

    def batch(self) -> LaneBatch:
        """Copy the batch to the host."""
        return LaneBatch(self.names, self._gathered(), self._step, self._metrics, self._seconds)

    def outcomes(self) -> dict[Any, Outcome]:
        """Return the outcomes of its lanes, by name."""
        return {
            name: self._outcome(lane, metrics)
            for name, lane, metrics in zip(self.names, self._gathered(), self._metrics, strict=True)
        }

    def _gathered(self) -> list[Lane]:
        """Copy the lanes to the host and unpack them."""
        lanes = devices.gather(self._lanes, len(self.names), self._placement)
        return [self._packing.unpack(*pair) for pair in zip(lanes, self._pack_specs, strict=True)]

    def _outcome(self, lane: Lane, metrics: Metrics) -> Outcome:
        method = self._program.method
        mask, params = jax.tree.map(np.asarray, method.network(lane))
        density, seconds = masks.density(mask), self._seconds * self._placement.devices_per_lane
        divergence = metrics.divergence(self._evaluate_at[: self._done])
        if divergence is None and not is_finite(params):
            divergence = len(metrics.val_loss) - 1
        last = self._done - 1 if divergence is None else divergence
        operations = None
        if method.operations:
            operations = method.operations(lane, int(self._evaluate_at[0]), int(self._evaluate_at[last]))
        if divergence is not None:
            metrics = metrics.diverged_at(divergence)
            return Outcome(params, density, metrics, seconds, operations=operations)
        notes = self._program.notes(mask, params) | method.notes(lane)
        if (end := notes.get(method.ends_at)) is not None:
            metrics = metrics.ended_at(end, self._evaluate_at)
        found = method.found(lane) if method.found else None
        return Outcome(params, density, metrics, seconds, notes, found, operations)


def is_finite(params: Params) -> bool:
    """Return whether every number of NumPy arrays is finite."""
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))


def _stops(
    evaluate_at: Int32[np.ndarray, "evaluations"], step: int, steps: int
) -> tuple[Integer[np.ndarray, "stops"], Bool[np.ndarray, "stops"]]:
    """Return the steps at which a chunk of `steps` steps stops, and whether lanes are evaluated there."""
    end = min(step + steps, int(evaluate_at[-1]))
    stops = evaluate_at[evaluate_at <= end]
    if len(stops) == 0 or stops[-1] < end:
        stops = np.append(stops, end)
    stops = stops[:MAX_SEGMENTS]
    return stops, np.isin(stops, evaluate_at)


def _extended(metrics: list[Metrics], results: list[Metrics], count: int) -> list[Metrics]:
    new = [Metrics(*(values[:count] for values in lane)) for lane in results]
    if not metrics:
        return new
    return [
        Metrics(*(np.concatenate(pair) for pair in zip(*both, strict=True)))
        for both in zip(metrics, new, strict=True)
    ]
