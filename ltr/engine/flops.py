"""What training costs: floating-point operations, and time in the measure of dense steps.

Operations are those of the products of prunable kernels, 2 for each: a multiplication and an addition. A
weight that is not there takes part in no product. Whether that saves time, too, is another question: it does
where a layer trains packed (see `ltr.engine.packing`).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ltr.core import masks
from ltr.engine.packing import Layers
from ltr.methods import weights
from ltr.methods.method import Lane, MethodContext
from ltr.methods.registry import method as find
from ltr.models.model import Model
from ltr.registry import load


def training(context: MethodContext, method: str, mask: Any, params: Any, first: int, last: int) -> int:
    """Return the floating-point operations of each image in training a lane from step `first` to `last`.

    A weight that is trained costs what `step` says, a frozen one no gradient of its own. Where scores are
    trained, every weight has a gate and counts as trained. Moves of RigL need the gradients of all weights
    (Evci et al., 2020, appendix H); otherwise it is counted by the connections that it starts with.
    """
    entry = find(method)
    whole, kernels = dense(context.model, params), masks.where(context.model.layer_types, params)
    used = whole if entry.trains_scores else jax.tree.map(lambda kept, w: kept | (w != 0), mask, kernels)
    trained = whole if entry.trains_scores else mask
    of_step = step(context.model, used, trained)
    all_gradients = 0
    if entry.all_gradients:
        all_gradients = int(load(entry.all_gradients)(np.arange(first, last), context.steps).sum())
    of_sparse = (last - first - all_gradients) * of_step
    return of_sparse + all_gradients * step(context.model, used, whole)


def step(model: Model, used: Any, trained: Any) -> int:
    """Return the floating-point operations of a training step of one image; arguments as for `by_layer`."""
    return sum(jax.tree.leaves(by_layer(model, used, trained)))


def by_layer(model: Model, used: Any, trained: Any) -> Any:
    """Return the floating-point operations of a training step of one image in each layer, exactly.

    A product of a weight is counted forward, in the gradient of the weight, and in the gradient of the
    inputs of its layer, except in the first, where no one asks for that. Taps of a convolution that fall on
    padding are in no product. Biases, batch normalisation, activations, pooling, loss and optimizer are not
    counted.

    Args:
        model: its `uses` and `first`.
        used: boolean, like the kinds: the weights that are not zero.
        trained: the same of those that have a gradient.
    """

    def layer(name: str, uses: np.ndarray, used: np.ndarray, trained: np.ndarray) -> int:
        forward, of_weights = (
            int((kept.sum((-2, -1), keepdims=True) * uses).sum()) for kept in (used, trained)
        )
        of_inputs = 0 if name == model.first else forward
        return 2 * (forward + of_weights + of_inputs)

    return jax.tree.map(layer, masks.layer_names(model.uses), model.uses, used, trained)


def dense(model: Model, shapes: Any) -> Any:
    """Return the mask that keeps every weight; `shapes` like the parameters, of anything that has a shape."""
    return jax.tree.map(
        lambda leaf: np.broadcast_to(True, leaf.shape), masks.where(model.layer_types, shapes)
    )


class Costs(NamedTuple):
    """Floating-point operations of a training step of a batch of the dense network, to foretell its time.

    Attributes:
        layers: like the kinds; those of the products of each kernel.
        overhead: all others, by XLA's count: what is left where no weight is.
    """

    layers: Any
    overhead: float

    @property
    def operations(self) -> float:
        """Of a step, the overhead included."""
        return float(self.overhead + sum(jax.tree.leaves(self.layers)))

    def time(self, densities: Any, packed: Layers) -> float:
        """How long a step takes, in dense steps: a packed layer by its density, others as if dense.

        `densities`: of the layers, like the kinds.
        """

        def share(cost: float, name: str, density: float) -> float:
            return cost * (density / packed[name] if density <= packed.get(name, 0) else 1.0)

        shares = jax.tree.map(share, self.layers, masks.layer_names(self.layers), densities)
        return (self.overhead + sum(jax.tree.leaves(shares))) / self.operations


def costs(context: MethodContext, batch_size: int, image_shape: tuple[int, ...]) -> Costs:
    """The costs of training all weights; the overhead is what XLA counts beside the products."""
    model = context.model
    whole = dense(model, jax.eval_shape(model.init, jax.random.key(0)))
    layers = jax.tree.map(lambda operations: batch_size * operations, by_layer(model, whole, whole))
    return Costs(layers, step_operations(context, batch_size, image_shape) - sum(jax.tree.leaves(layers)))


def planned(target: Any, shapes: Any) -> Any:
    """The densities of a round's layers by its target (see `ltr.pruning.targets`); evenly, by one of all.

    `shapes`: like the kinds, of anything that has a size.
    """
    if isinstance(target, int):
        density = target / sum(leaf.size for leaf in jax.tree.leaves(shapes))
        return jax.tree.map(lambda _: density, shapes)
    return jax.tree.map(lambda count, leaf: count / leaf.size, target, shapes)


def step_operations(context: MethodContext, batch_size: int, image_shape: tuple[int, ...]) -> float:
    """Floating-point operations of a step of all weights, by XLA's count."""
    shaped: Any = jax.ShapeDtypeStruct
    params = jax.eval_shape(context.model.init, jax.random.key(0))
    mask = masks.tree_map(lambda kind, p: kind and shaped(p.shape, bool), context.model.layer_types, params)
    opt_state = jax.eval_shape(context.optimizer.direction.init, params)
    lane = Lane(params, opt_state, mask, shaped((2,), jnp.uint32), shaped((), jnp.float32))
    batch = shaped((batch_size, *image_shape), jnp.float32), shaped((batch_size,), jnp.int32)
    return _counted(jax.jit(weights.build(context).step).trace(lane, *batch, shaped((), jnp.int32)))


def example_operations(model: Model, image_shape: tuple[int, ...]) -> float:
    """Floating-point operations of the forward pass of an example, by XLA's count."""
    params = jax.eval_shape(model.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
    return _counted(jax.jit(model.apply).trace(params, images))


def _counted(traced: Any) -> float:
    """Counted as for an accelerator: the CPU's gradients are loops, whose rounds XLA does not count."""
    return float(traced.lower(lowering_platforms=("tpu",)).cost_analysis()["flops"])
