"""Estimate of a run's cost, from its operations and this machine's speed of matrix products."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ltr.arms.lanes import lanes
from ltr.core import masks
from ltr.data import dataset
from ltr.engine import devices, flops
from ltr.engine.devices import Placement
from ltr.engine.packing import Layers
from ltr.experiment.placement import lane_bytes, place
from ltr.experiment.spec import RunSpec

EFFICIENCY = 0.7
"""Approximate speed of training as a fraction of the speed of matrix products alone."""

ENDS = 2
"""Evaluations of the test set by a training: with the weights of the early stop and with the final ones."""

_PRODUCTS = 200

_REPEATS = 5
"""Number of measurements; the fastest counts, as other processes only slow them down."""


class Cost(NamedTuple):
    """Wall-clock seconds of a run from its beginning, and bytes of memory on its devices."""

    seconds: float
    bytes: int


def cost(spec: RunSpec, packed: Layers) -> Cost:
    """Estimate the cost of a run whose layers train packed according to `packed`; reads no data."""
    experiment, times = spec.experiment, spec.schedule
    facts, kernels = dataset.describe(experiment.dataset), masks.where(spec.model.layer_types, spec.shapes)
    steps = flops.costs(spec.method_context, experiment.batch_size, facts.shape)
    dense = steps.operations
    example = flops.example_operations(spec.model, facts.shape)
    placement = place(spec)

    def evaluations(count: int) -> float:
        tests = count if experiment.test_curves else ENDS
        return example * (count * experiment.dataset.validation + tests * facts.test_examples)

    operations = sum(
        len(lanes(experiment, round_number))
        * steps.time(flops.planned(spec.targets[round_number], kernels), packed)
        * (dense * times.length(round_number) + evaluations(len(times.evaluate_at(round_number))))
        for round_number in range(experiment.rounds + 1)
    )
    pixels = (facts.train_examples + facts.test_examples) * math.prod(facts.shape)
    held = len(placement.devices) * (pixels + placement.lanes_per_device * lane_bytes(spec))
    measured = flops_meter(placement)
    return Cost(operations / (EFFICIENCY * max(measured() for _ in range(_REPEATS))), held)


def flops_meter(placement: Placement) -> Callable[[], float]:
    """Return a function that measures operations per second of [60, 784] x [784, 300] on all devices."""

    def products(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return lax.fori_loop(
            0, _PRODUCTS, lambda _, total: total + (x + total[0, 0]) @ kernel, jnp.zeros((60, 300))
        )

    count = placement.capacity
    x = devices.scatter([jnp.ones((60, 784))] * count, placement)
    kernel = devices.scatter([jnp.full((784, 300), 1e-6)] * count, placement)
    compiled = devices.parallel(products, placement)

    def seconds() -> float:
        began = time.monotonic()
        compiled(x, kernel).block_until_ready()
        return time.monotonic() - began

    seconds()  # compiles
    return lambda: count * _PRODUCTS * 2 * 60 * 784 * 300 / seconds()
