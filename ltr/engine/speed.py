"""Speed of this machine: of matrix products, and of a network's training step compared with them.

How fast a step runs follows from its operations only roughly: attention, normalisation and narrow
convolutions are slower than large matrix products, by a factor that depends on network and machine. A step is
therefore compiled and timed once. What is remembered is its speed relative to matrix products timed in turn
with it, because other processes slow both down alike.
"""

import contextlib
import functools
import hashlib
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import UInt8

from ltr import kernels
from ltr.core import atomic, masks
from ltr.engine import devices
from ltr.engine.devices import Placement
from ltr.engine.measurements import EDITION
from ltr.kernels import Images
from ltr.methods import weights
from ltr.methods.method import Lane, MethodContext

REPEATS = 3
"""Number of timings; their median counts, as a training meets the average load too."""

SECONDS = 0.1
"""Approximate duration of a timing of steps."""

MOST_OPERATIONS = 2e10
"""Floating-point operations up to which a step is timed on a whole batch, beyond on a part of one."""

_PRODUCTS = 200


class Speed(NamedTuple):
    """Speed of the training of a network, relative to that of matrix products.

    Attributes:
        efficiency: FLOPs per second of a step of the dense network, by XLA's count, as a fraction of those of
            matrix products.
        compilation: FLOPs of matrix products in the time that the compilation of a step takes.
    """

    efficiency: float
    compilation: float


def flops_meter(placement: Placement) -> Callable[[], float]:
    """Return a function that measures FLOPs per second of [60, 784] x [784, 300] on all devices."""
    run, number = _products(placement, _PRODUCTS), placement.capacity * _PRODUCTS

    def seconds() -> float:
        began = time.monotonic()
        run().block_until_ready()
        return time.monotonic() - began

    return lambda: number * 2 * 60 * 784 * 300 / seconds()


@functools.cache
def _products(placement: Placement, number: int) -> Callable[[], jax.Array]:
    """Return a function, compiled once, that computes a number of matrix products in each lane."""

    def products(matrices: tuple[jax.Array, jax.Array]) -> jax.Array:
        x, kernel = matrices
        return lax.fori_loop(
            0, number, lambda _, total: total + (x + total[0, 0]) @ kernel, jnp.zeros((60, 300))
        )

    lane = np.ones((60, 784), np.float32), np.full((784, 300), 1e-6, np.float32)
    lanes = devices.scatter([lane] * placement.capacity, placement)
    compiled = devices.parallel(products, placement)
    compiled(lanes)
    return functools.partial(compiled, lanes)


def measured(
    context: MethodContext,
    images: UInt8[np.ndarray, "batch height width channels"],
    operations: float,
    placement: Placement,
    meter: Callable[[], float],
    file: Path,
    on_status: Callable[[str], None],
) -> Speed:
    """Return the speed of a network's training; it is measured and written to `file` if that lacks it.

    Args:
        context: network and optimizer.
        images: batch of images.
        operations: FLOPs of a step, by XLA's count.
        placement: devices that are timed at once.
        meter: measures FLOPs per second of matrix products on these devices.
        file: measurements of earlier calls.
        on_status: called with a message before a measurement, and with the empty string after it.
    """
    size = max(1, round(len(images) * min(1.0, MOST_OPERATIONS / operations)))
    steps = Steps(context, images[:size], placement)
    known, case = _read(file), _case(steps.lowered.as_text(), placement)
    if case in known:
        return known[case]
    on_status("timing a training step of this network")
    began = time.perf_counter()
    steps.compile()
    compilation = (time.perf_counter() - began) * meter()
    steps.seconds(1)  # allocates
    number = max(1, round(SECONDS / steps.seconds(1)))
    timed = placement.capacity * operations * size / len(images)
    efficiency = statistics.median(timed / steps.seconds(number) / meter() for _ in range(REPEATS))
    known[case] = Speed(efficiency, compilation)
    _write(file, known)
    on_status("")
    return known[case]


class Steps:
    """Training steps of a network, on random weights and images, in every lane of a placement.

    Args:
        context: network and optimizer.
        images: batch of images.
        placement: devices, and lanes on each.

    Attributes:
        lowered: the steps before they are compiled.
    """

    def __init__(
        self,
        context: MethodContext,
        images: UInt8[np.ndarray, "batch height width channels"],
        placement: Placement,
    ) -> None:
        step, self._placement = weights.build(context).step, placement

        def steps(start: Any, count: jax.Array) -> Any:
            lane, images, labels = start
            return lax.fori_loop(0, count, lambda number, lane: step(lane, images, labels, number)[0], lane)

        self._lanes = devices.scatter([_start(context, images)] * placement.capacity, placement)
        self.lowered = devices.parallel(steps, placement).lower(self._lanes, self._count(1))

    def compile(self) -> None:
        """Compile the steps; the first that is taken then also allocates memory."""
        self._compiled = self.lowered.compile()

    def seconds(self, steps: int) -> float:
        """Measure the seconds that a step takes, of several."""
        began = time.perf_counter()
        jax.block_until_ready(self._compiled(self._lanes, self._count(steps)))
        return (time.perf_counter() - began) / steps

    def _count(self, steps: int) -> Any:
        return devices.replicate(np.int32(steps), self._placement)


def noisy(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw a kernel with a scale at which training stays finite; ones for parameters of one dimension."""
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return generator.normal(0, np.prod(shape[:-1]) ** -0.5, shape).astype(np.float32)


def noisy_images(
    generator: np.random.Generator, shape: tuple[int, ...], zeros: float
) -> UInt8[np.ndarray, "count height width channels"]:
    """Draw images of random bytes, of which the share `zeros` is zero."""
    images = generator.integers(1, 256, size=shape, dtype=np.uint8)
    images[generator.random(shape, np.float32) < zeros] = 0
    return images


def _start(
    context: MethodContext, images: UInt8[np.ndarray, "batch height width channels"]
) -> tuple[Lane, Images, np.ndarray]:
    """Return a dense lane of random weights, and images with labels 0."""
    generator, model = np.random.default_rng(0), context.model
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: noisy(generator, leaf.shape), shapes)
    opt_state = jax.tree.map(np.asarray, context.optimizer.direction.init(params))
    mask, key = masks.ones(params, model.layer_types), np.zeros(2, np.uint32)
    lane = Lane(params, opt_state, mask, key, np.zeros((), np.float32))
    mean, std = (np.full(images.shape[-1], value, np.float32) for value in (images.mean(), images.std()))
    if model.input_layer in context.fused:
        chosen = np.arange(len(images), dtype=np.int32)
        return lane, kernels.byte_images(images, chosen, mean, std), np.zeros(len(images), np.int32)
    return lane, (images - mean) / std, np.zeros(len(images), np.int32)


def _case(program: str, placement: Placement) -> str:
    """Return a name for everything that decides the speed: program, JAX, kernels, machine and devices."""
    code = jax.__version__, kernels.instruction_set(), EDITION
    facts = [platform.node(), *code, devices.describe(placement), program]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _read(file: Path) -> dict[str, Speed]:
    """Read earlier measurements; an empty dict if the file is missing, damaged or of another format."""
    try:
        return {case: Speed(**speed) for case, speed in json.loads(file.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(file: Path, known: Mapping[str, Speed]) -> None:
    """Replace the file atomically. If it cannot be written, networks are timed again next time."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(
            file, json.dumps({case: speed._asdict() for case, speed in known.items()}, indent=1) + "\n"
        )
