"""Crossovers: the density below which a layer trains faster packed, measured once on a machine."""

import contextlib
import json
import math
import platform
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ltr import kernels
from ltr.config.schema import Optimizer as Config
from ltr.core import atomic, optimizers
from ltr.core.optimizers import Optimizer
from ltr.engine import devices
from ltr.engine.devices import Placement
from ltr.engine.packing import DENSEST, PackSpec, capacity
from ltr.kernels import Pixels, SparseKernel
from ltr.models import arithmetic


class LayerShape(NamedTuple):
    """A layer as far as its speed depends on it.

    Attributes:
        kernel: [in, out], or of a convolution [size, size, in, out].
        num_positions: where in an image it is used; of a convolution, pixels of its result, taken for a square.
        is_first: whether nobody asks for the gradient of its inputs.
        reads_pixels: whether, packed, it takes images as `ltr.kernels.Pixels`.
    """

    kernel: tuple[int, ...]
    num_positions: int = 1
    is_first: bool = False
    reads_pixels: bool = False

    def __str__(self) -> str:
        first = "of pixels, " if self.reads_pixels else "first, " if self.is_first else ""
        return f"{first}{' x '.join(map(str, self.kernel))} at {self.num_positions}"


DENSITIES = (0.45, 0.1)
"""Where a packed layer is timed; its cost is close to a straight line in its density, up to `DENSEST`."""

MARGIN = 0.9
"""What packed may cost at most, of what dense costs: what is measured is never all."""

REPEATS = 5
"""Times that each is measured, of which the shortest counts: what else goes on only makes them longer."""

SECONDS = 0.06
"""About how long each of them takes."""

EDITION = 2
"""Of how packed lanes train: when that gets faster it is raised, and what was measured before is again."""


class Probe:
    """Measures steps of layers, each alone, on every device of a placement at once."""

    def __init__(self, batch_size: int, optimizer: Optimizer, placement: Placement) -> None:
        self._batch_size, self._optimizer, self._placement = batch_size, optimizer, placement

    def break_even_density(self, layer: LayerShape) -> float:
        """The density, 0 to `DENSEST`, up to which a step is clearly faster packed than masked and dense.

        What keeps more has the room of all. Nor are layouts then mixed for little: a convolution that is
        packed leaves its images in another one than the next, which is not, takes them in.

        Where noise has the denser of two packed layers faster, no further than that is known.
        """
        steps = [self.timed(layer, density) for density in (None, *DENSITIES)]
        turns = [[seconds() for seconds in steps] for _ in range(REPEATS)]
        dense, more, less = map(min, zip(*turns, strict=True))
        high, low = DENSITIES
        spare, slope = MARGIN * dense - more, (more - less) / (high - low)
        if slope <= 0:
            return high if spare >= 0 else 0.0
        return min(DENSEST, round(max(0.0, high + spare / slope), 3))

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


def measured(
    layers: Mapping[str, LayerShape],
    batch_size: int,
    optimizer: Config,
    placement: Placement,
    file: Path,
    on_status: Callable[[str], None],
) -> dict[str, float]:
    """The crossover of each layer, by its name; what `file` does not know is measured and added to it.

    `on_status` hears what is measured, and at the end of that the empty string.
    """
    known = _read(file)
    probe = Probe(batch_size, optimizers.build(optimizer, steps=1, steps_per_epoch=1), placement)
    found = {}
    for name, layer in layers.items():
        what = f"edition {EDITION}, {optimizer.name}, batch {batch_size}, {layer}, {_machine(placement)}"
        if what not in known:
            on_status(f"measuring how sparse {name} has to be to train faster packed")
            known[what] = probe.break_even_density(layer)
            _write(file, known)
            on_status("")
        found[name] = float(known[what])
    return found


def _write(file: Path, known: Mapping[str, float]) -> None:
    """Whole or not at all; where nothing can be written it is measured again next time."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(file, json.dumps(known, indent=2) + "\n")


def _machine(placement: Placement) -> str:
    """What decides how fast layers are, on one machine and on those that share its files."""
    processor = f"{platform.node()} ({kernels.instruction_set()})"
    return f"{len(placement.devices)} cores of {processor}, jax {jax.__version__}"


def _read(file: Path) -> dict[str, Any]:
    """What was measured before; nothing where it is not there or damaged."""
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return {}
