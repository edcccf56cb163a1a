"""Break-even densities: up to which a layer trains faster packed, measured once on a machine."""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ltr import kernels
from ltr.config.parse import parse
from ltr.config.schema import Optimizer as Config
from ltr.core import optimizers
from ltr.core.optimizers import Optimizer
from ltr.engine import devices, measurements
from ltr.engine.devices import Placement
from ltr.engine.measurements import Case, LayerShape, Measurement
from ltr.engine.packing import DENSEST, PackSpec, capacity
from ltr.kernels import Pixels, SparseKernel
from ltr.models import arithmetic

DENSITIES = (0.45, 0.1)
"""Where a packed layer is timed; its cost is close to a straight line in its density, up to `DENSEST`."""

MARGIN = 0.9
"""What packed may cost at most, of what dense costs: what is measured is never all."""

REPEATS = 5
"""Times that each is measured, of which the shortest counts: what else goes on only makes them longer."""

SECONDS = 0.06
"""About how long each of them takes."""

LARGEST_SPREAD = 0.25
"""Of a measurement that is sure: on a quiet machine the median is within a few percent of the shortest."""

TOLERANCE = 0.1
"""How much longer, as a fraction, a layer of fewer weights may take: where overhead is all, noise decides."""


IDLE = 1.0
"""Load below which what is in doubt is measured again, whatever the load was."""

LESS_BUSY = 0.8
"""Share of the load of a measurement in doubt below which it is worth another."""


class Probe:
    """Measures steps of layers, each alone, on every device of a placement at once."""

    def __init__(self, batch_size: int, optimizer: Optimizer, placement: Placement) -> None:
        self._batch_size, self._optimizer, self._placement = batch_size, optimizer, placement

    def measure(self, layer: LayerShape) -> Measurement:
        """The density, 0 to `DENSEST`, up to which a step is clearly faster packed than masked and dense."""
        began, busy, date = time.perf_counter(), load(), datetime.now(UTC).isoformat(timespec="seconds")
        steps = [self.timed(layer, density) for density in (None, *DENSITIES)]
        turns = [[seconds() for seconds in steps] for _ in range(REPEATS)]
        times = [*zip(*turns, strict=True)]
        dense, more, less = map(min, times)
        spread = max(statistics.median(one) / min(one) - 1 for one in times)
        return Measurement(
            density=break_even(dense, more, less),
            date=date,
            spread=round(spread, 3),
            load=busy,
            seconds=round(time.perf_counter() - began, 1),
            doubt=doubt(spread, more, less),
        )

    def timed(self, layer: LayerShape, density: float | None) -> Callable[[], float]:
        """Measures seconds a step; packed at a density, or dense (None)."""
        generator = np.random.default_rng(0)
        kept = generator.random(layer.kernel) < (density or 0.5)
        kernel = generator.normal(0, kept[..., 0].size ** -0.5, layer.kernel).astype(np.float32)
        pack_spec = PackSpec(kept, capacity(int(kept.sum()), kept.size)) if density else None
        bias = np.zeros(layer.kernel[-1], np.float32)
        params = {"kernel": pack_spec.pack(kernel) if pack_spec else kernel, "bias": bias}
        opt_state = jax.tree.map(np.asarray, self._optimizer.direction.init(params))
        x = (self._pixels if layer.reads_pixels and pack_spec else self._floats)(layer, generator)
        batch = jax.tree.map(lambda leaf: np.moveaxis(leaf, 0, -1), x) if pack_spec else x
        lane = params, opt_state, batch, pack_spec.pattern if pack_spec else kept
        lanes = devices.scatter([lane] * self._placement.capacity, self._placement)
        run = devices.parallel(partial(self._steps, layer), self._placement)

        def seconds(steps: int) -> float:
            began = time.perf_counter()
            jax.block_until_ready(run(lanes, devices.replicate(np.int32(steps), self._placement)))
            return time.perf_counter() - began

        seconds(1)  # compiles
        steps = max(1, round(3 * SECONDS / seconds(3)))
        return lambda: seconds(steps) / steps

    def _floats(self, layer: LayerShape, generator: np.random.Generator) -> np.ndarray:
        side = () if len(layer.kernel) == 2 else (math.isqrt(layer.num_positions),) * 2
        return generator.normal(size=(self._batch_size, *side, layer.kernel[-2])).astype(np.float32)

    def _pixels(self, layer: LayerShape, generator: np.random.Generator) -> Pixels:
        images = generator.integers(256, size=(self._batch_size, layer.kernel[-2], 1, 1), dtype=np.uint8)
        mean, std = np.array([[128], [64]], np.float32)
        pixels = kernels.pixels(images, np.arange(self._batch_size, dtype=np.int32), mean, std)
        return jax.tree.map(np.asarray, pixels)

    def _steps(self, layer: LayerShape, lane: Any, count: jax.Array) -> Any:
        *carry, connections = lane
        is_packed = isinstance(connections, kernels.SparsityPattern)

        def loss(params: Any, x: Any) -> jax.Array:
            """Of a batch as the layer before leaves it: laid out by example, or by unit."""
            weights = SparseKernel(params["kernel"], connections) if is_packed else params["kernel"]
            batch = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), x) if is_packed else x
            product = arithmetic.dense if len(layer.kernel) == 2 else arithmetic.conv
            return jnp.square(product(batch, weights, params["bias"])).sum()

        def step(_: jax.Array, carry: Any) -> Any:
            params, opt_state, x = carry
            if layer.is_first:
                gradients = jax.grad(loss)(params, x)
            else:
                gradients, of_x = jax.grad(loss, (0, 1))(params, x)
                x = x - 1e-3 * of_x
            if not is_packed:
                gradients["kernel"] = jnp.where(connections, gradients["kernel"], 0)
            direction, opt_state = self._optimizer.direction.update(gradients, opt_state, params)
            params = jax.tree.map(lambda weight, along: weight - 1e-3 * along, params, direction)
            return params, opt_state, x

        return lax.fori_loop(0, count, step, tuple(carry))


def break_even(dense: float, more: float, less: float) -> float:
    """The density, 0 to `DENSEST`, at which a packed step takes `MARGIN` of a dense one.

    What keeps more has the room of all. Nor are layouts then mixed for little: a convolution that is
    packed leaves its images in another one than the next, which is not, takes them in.

    Where noise has the denser of two packed layers faster, no further than that is known.

    Args:
        dense: seconds of a dense step.
        more: seconds of a packed step at the first of `DENSITIES`.
        less: at the second, which is lower.
    """
    high, low = DENSITIES
    spare, slope = MARGIN * dense - more, (more - less) / (high - low)
    if slope <= 0:
        return high if spare >= 0 else 0.0
    return min(DENSEST, round(max(0.0, high + spare / slope), 3))


def doubt(spread: float, more: float, less: float) -> str:
    """Why a measurement cannot be right, or is not precise enough; empty if it may be."""
    if less > (1 + TOLERANCE) * more:
        return f"slower packed at {DENSITIES[1]:.0%} of the weights than at {DENSITIES[0]:.0%}"
    return f"times spread by {spread:.0%}" if spread > LARGEST_SPREAD else ""


def measured(
    layers: Mapping[str, LayerShape],
    batch_size: int,
    optimizer: Config,
    placement: Placement,
    file: Path,
    on_status: Callable[[str], None],
) -> dict[str, float]:
    """The break-even density of each layer, by its name.

    What `file` does not know is measured and written to it; so is what is in doubt, unless the machine is
    as busy as it was. `on_status` hears what is measured, and at the end of that the empty string.
    """
    known = measurements.read(file)
    probe = Probe(batch_size, optimizers.build(optimizer, steps=1, steps_per_epoch=1), placement)
    found = {}
    for name, layer in layers.items():
        case = Case.here(layer, batch_size, optimizer.name, placement)
        if case not in known or is_due(known[case], load()):
            on_status(f"measuring how sparse {name} has to be to train faster packed")
            known[case] = surer(known.get(case), probe.measure(layer))
            measurements.write(file, known)
            on_status("")
        found[name] = known[case].density
    return found


def measure_again(cases: Iterable[Case], file: Path, on_status: Callable[[str], None]) -> None:
    """Measure cases of this machine anew, whatever `file` knows of them, and write that to it."""
    known = measurements.read(file)
    for case in cases:
        on_status(f"measuring {case.layer}, {case.optimizer}, batch {case.batch_size}")
        config = parse({"optimizer": {"name": case.optimizer}}).optimizer
        optimizer = optimizers.build(config, steps=1, steps_per_epoch=1)
        placement = Placement(tuple(jax.devices()[: case.cores]), 1)
        known[case] = Probe(case.batch_size, optimizer, placement).measure(case.layer)
        measurements.write(file, known)
    on_status("")


def is_due(before: Measurement, load: float | None) -> bool:
    """Whether to measure again: what is in doubt, once the machine is nearly idle or less busy than then."""
    if not before.doubt or load is None or before.load is None:
        return bool(before.doubt)
    return load < max(IDLE, LESS_BUSY * before.load)


def surer(before: Measurement | None, now: Measurement) -> Measurement:
    """The measurement to keep: of two in doubt, the one of less spread."""
    return before if before and now.doubt and before.spread < now.spread else now


def load() -> float | None:
    """Processes that ran or waited to run in the last minute, on average; None where nobody counts."""
    try:
        return round(os.getloadavg()[0], 1)
    except (AttributeError, OSError):
        return None
