"""Break-even densities: the density below which a layer trains faster packed.

They are measured once on each machine.
"""

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ltr import kernels
from ltr.config.parse import parse
from ltr.config.schema import Optimizer as Config
from ltr.core import masks, optimizers
from ltr.core.optimizers import Optimizer
from ltr.engine import devices, measurements
from ltr.engine.capacity import DENSEST, capacity
from ltr.engine.devices import Placement
from ltr.engine.measurements import Case, LayerShape, Measurement
from ltr.engine.packing import PackSpec
from ltr.engine.speed import noisy_images
from ltr.kernels import ByteImages, Pixels
from ltr.methods.method import Lane, apply_update
from ltr.models.fused import slots_of, value_and_gradients
from ltr.models.layers import Conv, Dense
from ltr.models.packed import NO_PATTERNS, sparse_products
from ltr.models.winograd import NO_TILES, winograd

DENSITIES = (0.45, 0.1)
"""Densities at which a packed layer is timed. Its cost is nearly linear in the density, up to `DENSEST`."""

MARGIN = 0.9
"""A packed step must take at most this fraction of a dense step; the benchmark misses some overhead."""

REPEATS = 5
"""Timings per step. The shortest counts, because other load can only make a timing longer."""

MOST_REPEATS = 15
"""Timings per step on a machine so busy that the shortest of fewer stay in doubt."""

SECONDS = 0.06
"""Approximate duration of each timing."""

LARGEST_SPREAD = 0.25
"""Largest relative spread of a reliable measurement; on a quiet machine it is a few percent."""

TOLERANCE = 0.1
"""Fraction by which a layer of fewer weights may take longer: where overhead dominates, noise decides."""

IDLE = 1.0
"""Load below which a doubtful measurement is repeated, whatever the load was before."""

LESS_BUSY = 0.8
"""Fraction of the load of a doubtful measurement below which it is repeated."""


class Probe:
    """Microbenchmark of training steps of single layers, on all devices of a placement at once."""

    def __init__(self, batch_size: int, optimizer: Optimizer, placement: Placement) -> None:
        self._batch_size, self._optimizer, self._placement = batch_size, optimizer, placement

    def measure(self, layer: LayerShape) -> Measurement:
        """Measure the density, 0 to `DENSEST`, below which a packed step is clearly faster than a dense one.

        The dense step multiplies its gradients by a mask.
        """
        began, busy, date = time.perf_counter(), load(), datetime.now(UTC).isoformat(timespec="seconds")
        timers = [self.timer(layer, density) for density in (None, *DENSITIES)]
        repeats: list[list[float]] = []
        spread = math.inf
        while spread > LARGEST_SPREAD and len(repeats) < MOST_REPEATS:
            repeats += [[seconds() for seconds in timers] for _ in range(REPEATS)]
            times = [*zip(*repeats, strict=True)]
            spread = max(map(relative_spread, times))
        dense, more, less = map(min, times)
        return Measurement(
            density=break_even(dense, more, less),
            date=date,
            spread=round(spread, 3),
            load=busy,
            seconds=round(time.perf_counter() - began, 1),
            doubt=doubt(spread, more, less),
        )

    def timer(self, layer: LayerShape, density: float | None) -> Callable[[], float]:
        """Return a function that measures seconds per step: packed at a density, or dense if it is None."""
        generator = np.random.default_rng(0)
        kept = generator.random(layer.kernel) < (density or 0.5)
        kernel = generator.normal(0, kept[..., 0].size ** -0.5, layer.kernel).astype(np.float32)
        pack_spec = PackSpec(kept, capacity(int(kept.sum()), kept.size)) if density else None
        bias = np.zeros(layer.kernel[-1], np.float32)
        params = {"kernel": pack_spec.pack(kernel) if pack_spec else kernel, "bias": bias}
        opt_state = jax.tree.map(np.asarray, self._optimizer.direction.init(params))
        x = self._inputs(layer, generator, is_packed=pack_spec is not None)
        batch = jax.tree.map(lambda leaf: np.moveaxis(leaf, 0, -1), x) if _is_by_unit(layer, pack_spec) else x
        mask, patterns = (None, {"": pack_spec.pattern}) if pack_spec else (kept, NO_PATTERNS)
        key, loss = np.zeros(2, np.uint32), np.zeros((), np.float32)
        lane = Lane(params, opt_state, {"kernel": mask, "bias": None}, key, loss, patterns=patterns)
        lanes = devices.scatter([(lane, batch)] * self._placement.capacity, self._placement)
        run = devices.parallel(partial(self._steps, layer), self._placement)

        def seconds(steps: int) -> float:
            began = time.perf_counter()
            jax.block_until_ready(run(lanes, devices.replicate(np.int32(steps), self._placement)))
            return time.perf_counter() - began

        seconds(1)  # compiles
        steps = max(1, round(3 * SECONDS / seconds(3)))
        return lambda: seconds(steps) / steps

    def _inputs(self, layer: LayerShape, generator: np.random.Generator, is_packed: bool) -> Any:
        if layer.reads_pixels and (is_packed or layer.is_fused):
            return self._images(layer, generator, kernels.pixels if is_packed else kernels.byte_images)
        return self._floats(layer, generator)

    def _floats(self, layer: LayerShape, generator: np.random.Generator) -> np.ndarray:
        side: tuple[int, ...] = (layer.num_positions,) if layer.has_tokens else ()
        if len(layer.kernel) > 2:
            side = (math.isqrt(layer.num_positions),) * 2
        return generator.normal(size=(self._batch_size, *side, layer.kernel[-2])).astype(np.float32)

    def _images(
        self, layer: LayerShape, generator: np.random.Generator, layout: Callable[..., Pixels | ByteImages]
    ) -> Pixels | ByteImages:
        images = noisy_images(generator, (self._batch_size, layer.kernel[-2], 1, 1), layer.zeros)
        mean, std = np.array([[128], [64]], np.float32)
        return jax.tree.map(
            np.asarray, layout(images, np.arange(self._batch_size, dtype=np.int32), mean, std)
        )

    def _steps(self, layer: LayerShape, start: Any, count: jax.Array) -> Any:
        patterns = start[0].patterns
        fused = [""] if layer.is_fused and not patterns else []

        def loss(params: Any, x: Any) -> tuple[jax.Array, None]:
            """Sum of squared outputs of a batch in the memory layout of the layer before."""
            by_unit = _is_by_unit(layer, patterns)
            batch = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), x) if by_unit else x
            tiles = {"": layer.tile} if layer.tile else NO_TILES
            with winograd(tiles), sparse_products(patterns, by_unit):
                result: Any = _module(layer).apply({"params": params}, batch)
            return jnp.square(result).sum(), None

        def step(number: jax.Array, carry: Any) -> Any:
            lane, x = carry
            slots = slots_of(fused, lane.params, x, "")
            if layer.is_first:
                _, gradients, factors = value_and_gradients(
                    lambda params: loss(params, x), lane.params, slots
                )
            else:
                _, (gradients, input_gradient), factors = value_and_gradients(
                    lambda both: loss(*both), (lane.params, x), slots
                )
                x = x - 1e-3 * input_gradient
            masked = masks.apply(lane.mask, gradients)
            return apply_update(self._optimizer, lane, masked, number, factors=factors), x

        return lax.fori_loop(0, count, step, start)


def _module(layer: LayerShape) -> nn.Module:
    """Return a layer with a kernel of that shape."""
    *size, _, features = layer.kernel
    return Conv(features, size[0]) if size else Dense(features)


def _is_by_unit(layer: LayerShape, packed: Any) -> bool:
    """Return whether a packed layer gets its inputs unit by unit in memory.

    A packed dense layer before it leaves its results so; attention never does.
    """
    return bool(packed) and not layer.has_tokens


def break_even(dense: float, more: float, less: float) -> float:
    """Return the density, 0 to `DENSEST`, at which a packed step takes `MARGIN` of a dense one.

    Above `DENSEST` the capacity is that of all weights, so packing would gain little. It would also mix
    memory layouts: a packed convolution writes its images in another layout than a dense one reads.

    If noise makes the denser of two packed layers the faster one, nothing is known beyond its density.

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


def relative_spread(seconds: Sequence[float]) -> float:
    """Return by what fraction the third shortest of at least three times exceeds the shortest.

    A shortest time that two others come near is no accident.
    """
    shortest, _, third = sorted(seconds)[:3]
    return third / shortest - 1


def doubt(spread: float, more: float, less: float) -> str:
    """Return why a measurement is wrong or too imprecise; the empty string if it is neither."""
    if less > (1 + TOLERANCE) * more:
        return f"slower packed at {DENSITIES[1]:.0%} of the weights than at {DENSITIES[0]:.0%}"
    return f"times spread by {spread:.0%}" if spread > LARGEST_SPREAD else ""


def densities(
    layers: Mapping[str, LayerShape],
    batch_size: int,
    optimizer: Config,
    placement: Placement,
    file: Path,
    on_status: Callable[[str], None],
) -> dict[str, float]:
    """Return the break-even density of each layer, by its name.

    Layers that `file` lacks are measured and written to it. Doubtful measurements are repeated, unless the
    machine is as busy as it was.

    Args:
        layers: layers by name.
        batch_size: examples per step.
        optimizer: its configuration.
        placement: devices that are timed at once.
        file: measurements of earlier runs.
        on_status: called with a message before a layer is measured, and with the empty string after it.
    """
    known = measurements.read(file)
    probe = Probe(batch_size, optimizers.build(optimizer, steps=1, steps_per_epoch=1), placement)
    by_layer = {}
    for name, layer in layers.items():
        case = Case.here(layer, batch_size, optimizer.name, placement)
        if _is_wanted(case, known):
            on_status(f"measuring how sparse {name} has to be to train faster packed")
            known[case] = more_reliable(known.get(case), probe.measure(layer))
            measurements.write(file, known)
            on_status("")
        by_layer[name] = known[case].density
    return by_layer


def are_known(
    layers: Mapping[str, LayerShape], batch_size: int, optimizer: Config, placement: Placement, file: Path
) -> bool:
    """Return whether `densities` would measure nothing now; arguments as there."""
    known = measurements.read(file)
    cases = (Case.here(layer, batch_size, optimizer.name, placement) for layer in layers.values())
    return not any(_is_wanted(case, known) for case in cases)


def _is_wanted(case: Case, known: Mapping[Case, Measurement]) -> bool:
    return case not in known or is_due(known[case], load())


def measure_again(cases: Iterable[Case], file: Path, on_status: Callable[[str], None]) -> None:
    """Measure cases of this machine again and write the results to `file`.

    `on_status` is called with a message before each case, and with the empty string at the end.
    """
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
    """Return whether to repeat a measurement: if it is doubtful and the machine is idle or less busy now.

    `load`: load of the machine now; None if unknown.
    """
    if not before.doubt or load is None or before.load is None:
        return bool(before.doubt)
    return load < max(IDLE, LESS_BUSY * before.load)


def more_reliable(before: Measurement | None, now: Measurement) -> Measurement:
    """Return the new measurement; if it is doubtful, that of the two with the smaller spread."""
    return before if before and now.doubt and before.spread < now.spread else now


def load() -> float | None:
    """Return the load average of the last minute (running and waiting processes); None if unknown."""
    try:
        return round(os.getloadavg()[0], 1)
    except (AttributeError, OSError):
        return None
