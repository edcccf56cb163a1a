"""Cost of training: floating-point operations (FLOPs), and time in units of dense steps.

Fewer FLOPs save time only in layers that train packed (see `ltr.engine.packing`).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from ltr.core import masks
from ltr.core.types import Mask, Params
from ltr.engine.packing import Layers
from ltr.methods import weights
from ltr.methods.method import Lane, MethodContext
from ltr.methods.registry import method as find
from ltr.models import operations
from ltr.models.model import Model
from ltr.pruning.targets import Target


def training(context: MethodContext, method: str, mask: Mask, params: Params, first: int, last: int) -> int:
    """Return the FLOPs per image of training a lane from step `first` to `last`.

    A trained weight costs what `ltr.models.operations` counts; a frozen one has no gradient of its own. If
    scores are trained, every weight has a gate and counts as trained. A method whose steps differ counts them
    itself (see `ltr.methods.method.Method`).
    """
    layer_types = context.model.layer_types
    if find(method).trains_scores:
        used = trained = masks.ones(params, layer_types)
    else:
        kernels = masks.where(layer_types, params)
        used, trained = jax.tree.map(lambda kept, w: kept | (w != 0), mask, kernels), mask
    return (last - first) * operations.step(context.model, used, trained)


class Costs(NamedTuple):
    """FLOPs of a training step of a batch of the dense network, to predict times.

    Attributes:
        layers: FLOPs of the products of each kernel, like the layer types.
        overhead: all other FLOPs, by XLA's count; they remain if every weight is pruned.
    """

    layers: PyTree[int]
    overhead: float

    @property
    def operations(self) -> float:
        """FLOPs of a step, the overhead included."""
        return float(self.overhead + sum(jax.tree.leaves(self.layers)))

    def time(self, densities: PyTree[float], packed: Layers) -> float:
        """Predict the time of a step in units of dense steps.

        The cost of a packed layer is proportional to its density; others cost as much as dense ones.

        Args:
            densities: density of each layer, like the layer types.
            packed: break-even densities of the layers that may train packed.
        """

        def share(cost: float, name: str, density: float) -> float:
            return cost * (density / packed[name] if density <= packed.get(name, 0) else 1.0)

        shares = jax.tree.map(share, self.layers, masks.layer_names(self.layers), densities)
        return (self.overhead + sum(jax.tree.leaves(shares))) / self.operations


def costs(context: MethodContext, batch_size: int, image_shape: tuple[int, ...]) -> Costs:
    """Return the costs of training all weights; the overhead is XLA's count without the products."""
    model = context.model
    whole = masks.ones(jax.eval_shape(model.init, jax.random.key(0)), model.layer_types)
    layers = jax.tree.map(
        lambda operations: batch_size * operations, operations.by_layer(model, whole, whole)
    )
    return Costs(layers, step_operations(context, batch_size, image_shape) - sum(jax.tree.leaves(layers)))


def planned(target: Target, shapes: PyTree) -> PyTree[float]:
    """Return the density of each layer in a round with that target.

    A target for the whole network is taken as the same density in every layer.

    `shapes`: a pytree like the layer types, whose leaves have a `size`.
    """
    if isinstance(target, int):
        density = target / sum(leaf.size for leaf in jax.tree.leaves(shapes))
        return jax.tree.map(lambda _: density, shapes)
    return jax.tree.map(lambda count, leaf: count / leaf.size, target, shapes)


def step_operations(context: MethodContext, batch_size: int, image_shape: tuple[int, ...]) -> float:
    """Return the FLOPs of a training step of a batch of the dense network, by XLA's count."""
    shaped: Any = jax.ShapeDtypeStruct
    params = jax.eval_shape(context.model.init, jax.random.key(0))
    mask = masks.tree_map(lambda name, p: name and shaped(p.shape, bool), context.model.layer_types, params)
    opt_state = jax.eval_shape(context.optimizer.direction.init, params)
    lane = Lane(params, opt_state, mask, shaped((2,), jnp.uint32), shaped((), jnp.float32))
    batch = shaped((batch_size, *image_shape), jnp.float32), shaped((batch_size,), jnp.int32)
    return _counted(jax.jit(weights.build(context).step).trace(lane, *batch, shaped((), jnp.int32)))


def example_operations(model: Model, image_shape: tuple[int, ...]) -> float:
    """Return the FLOPs of the forward pass of one example, by XLA's count."""
    params = jax.eval_shape(model.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
    return _counted(jax.jit(model.apply).trace(params, images))


def _counted(traced: Any) -> float:
    """Count FLOPs as for an accelerator: on the CPU gradients are loops; XLA ignores their iterations."""
    return float(traced.lower(lowering_platforms=("tpu",)).cost_analysis()["flops"])
