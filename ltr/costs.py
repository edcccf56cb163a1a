"""What training costs: floating-point operations, and time in the measure of dense steps.

A weight that is not there takes part in no product. Whether that saves time, too, is another question:
it does where a layer trains packed (see `ltr.packing`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ltr import masks
from ltr.methods import Lane, Parts, weights
from ltr.models import Model
from ltr.packing import Layers


class Costs(NamedTuple):
    """Floating-point operations of a training step of a batch.

    Attributes:
        layers: like the kinds; those of the products of a kernel, if it keeps all of its weights.
        rest: all others.
    """

    layers: Any
    rest: float

    def operations(self, densities: Any) -> float:
        """Of a step with layers of these densities, a tree like the kinds."""
        return self._step(densities, lambda _, density: density)

    def time(self, densities: Any, packed: Layers) -> float:
        """How long a step takes, in dense steps: a packed layer by its density, others as if dense."""

        def share(name: str, density: float) -> float:
            return density / packed[name] if density <= packed.get(name, 0) else 1.0

        whole = self._step(densities, lambda *_: 1.0)
        return self._step(densities, share) / whole

    def _step(self, densities: Any, share: Callable[[str, float], float]) -> float:
        names = masks.layer_names(self.layers)
        of_layers = jax.tree.map(
            lambda cost, name, density: cost * share(name, density), self.layers, names, densities
        )
        return float(self.rest + sum(jax.tree.leaves(of_layers)))


def costs(parts: Parts, batch_size: int, image_shape: tuple[int, ...]) -> Costs:
    """The costs of training the weights; the rest is what XLA counts beside the products."""
    layers = jax.tree.map(lambda operations: batch_size * operations, parts.model.operations)
    rest = step_operations(parts, batch_size, image_shape) - sum(jax.tree.leaves(layers))
    return Costs(layers, max(0.0, rest))  # XLA leaves out products with padding


def planned(target: Any, shapes: Any) -> Any:
    """The densities of a round's layers by its target (see `ltr.pruning.targets`); evenly, by one of all.

    `shapes`: like the kinds, of anything that has a size.
    """
    if isinstance(target, int):
        density = target / sum(leaf.size for leaf in jax.tree.leaves(shapes))
        return jax.tree.map(lambda _: density, shapes)
    return jax.tree.map(lambda count, leaf: count / leaf.size, target, shapes)


def present(mask: Any, params: Any) -> Any:
    """The densities of what takes part in products: weights that are kept, and frozen ones."""
    kernels = masks.where(mask, params)
    return jax.tree.map(lambda kept, kernel: float(np.mean(kept | (kernel != 0))), mask, kernels)


def step_operations(parts: Parts, batch_size: int, image_shape: tuple[int, ...]) -> float:
    """Floating-point operations of a step of all weights, by XLA's count."""
    shaped: Any = jax.ShapeDtypeStruct
    params = jax.eval_shape(parts.model.init, jax.random.key(0))
    mask = masks.tree_map(lambda kind, p: kind and shaped(p.shape, bool), parts.model.kinds, params)
    moments = jax.eval_shape(parts.optimizer.direction.init, params)
    lane = Lane(params, moments, mask, shaped((2,), jnp.uint32), shaped((), jnp.float32))
    batch = shaped((batch_size, *image_shape), jnp.float32), shaped((batch_size,), jnp.int32)
    return _counted(jax.jit(weights.build(parts).step).trace(lane, *batch, shaped((), jnp.int32)))


def example_operations(model: Model, image_shape: tuple[int, ...]) -> float:
    """Floating-point operations of the forward pass of an example, by XLA's count."""
    params = jax.eval_shape(model.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
    return _counted(jax.jit(model.apply).trace(params, images))


def _counted(traced: Any) -> float:
    """Counted as for an accelerator: the CPU's gradients are loops, whose rounds XLA does not count."""
    return float(traced.lower(lowering_platforms=("tpu",)).cost_analysis()["flops"])
