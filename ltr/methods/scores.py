"""Training of scores: weights stay fixed, and their scores decide which of them the network uses.

In these lanes `params` holds scores in place of prunable kernels. The weights of these kernels are in
`method_state["weights"]`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax
from jaxtyping import Float32, PyTree

from ltr import kernels
from ltr.core import masks, optimizers
from ltr.core.registry import AdamOptions
from ltr.core.types import Mask, Params, PRNGKey
from ltr.kernels import Factors, Images
from ltr.methods.method import (
    FoundMask,
    Labels,
    Lane,
    Loss,
    MethodContext,
    MethodInput,
    Step,
    StepNumber,
    loss_of,
    tie_key,
)
from ltr.models.fused import kernel_path, slots_of, value_and_gradients
from ltr.models.model import Model, with_statistics
from ltr.pruning import compiled, prune, selection

Gate = Callable[[Lane, Params, StepNumber], Params]
"""Lane, its params, steps so far -> gate of each weight, like the mask; see `step`."""

Update = Callable[[Lane, Params, StepNumber], Lane]
"""Lane, gradients of its params, steps so far -> the lane after the step."""

Objective = Callable[[Model, Lane, Images, Labels, StepNumber], Callable[[Params], tuple[Loss, Params]]]
"""Arguments of `loss_of` -> function of the gated weights, like the one that it returns."""

ADAM = optimizers.scale_by_adam(AdamOptions())
"""Update direction of the scores of methods that are defined with Adam, whatever trains the weights.

They have a learning rate of their own, and no weight decay.
"""


def begin(inputs: MethodInput, draw: Callable[..., Any], *trees: PyTree) -> tuple[Params, dict[str, Any]]:
    """Return `params` and `method_state` of a lane.

    Args:
        inputs: the subnetwork that the arm starts from.
        draw: mask and weights of a layer, and its leaves of `trees` -> its scores.
        trees: further pytrees like the mask.
    """
    params = masks.tree_map(
        lambda kept, weight, *others: weight if kept is None else draw(kept, weight, *others),
        inputs.mask,
        inputs.weights,
        *trees,
    )
    return params, {"weights": masks.where(inputs.mask, inputs.weights)}


def step(context: MethodContext, gate: Gate, update: Update, objective: Objective = loss_of) -> Step:
    """Return a training step on the scores of a lane.

    Every weight is multiplied by its gate, from 0 to 1. Only scores and running statistics change.

    Args:
        context: network. A method of this step has its `fused` layers.
        gate: gives the gates, through which scores have a gradient.
        update: step of an optimizer.
        objective: what the scores minimise.
    """

    def step(lane: Lane, images: Images, labels: Labels, step: StepNumber) -> tuple[Lane, Loss]:
        loss = objective(context.model, lane, images, labels, step)

        def gated(params: Params) -> Params:
            gates = gate(lane, params, step)
            return masks.tree_map(_gated, lane.mask, params, gates, lane.method_state["weights"])

        variables, of_scores = jax.vjp(gated, lane.params)
        slots = slots_of(context.fused, variables, images, context.model.input_layer)
        (value, statistics), of_weights, factors = value_and_gradients(loss, variables, slots)
        (gradients,) = of_scores(_with_factors(context, of_weights, factors))
        score_gradients = masks.tree_map(
            lambda kept, gradient: jnp.zeros_like(gradient) if kept is None else gradient,
            lane.mask,
            gradients,
        )
        after = update(lane, score_gradients, step)
        params = masks.tree_map(
            lambda kept, new, old: old if kept is None else new, lane.mask, after.params, lane.params
        )
        return after._replace(params=with_statistics(params, statistics)), value

    return step


def _with_factors(context: MethodContext, gradients: Params, factors: Mapping[str, Factors]) -> Params:
    """Return the gradients, those of layers with factors computed from them."""
    leaves = flatten_dict(gradients)
    for name, factor in factors.items():
        path = kernel_path(name)
        leaves[path] = context.shares.mean(kernels.gradient(factor, leaves[path].shape[1]))
    return unflatten_dict(leaves)


def _gated(kept: Any, param: jax.Array, gate: Any, weight: Any) -> jax.Array:
    """Return a parameter, or a gated weight; a layer without gates is used whole."""
    if kept is None:
        return param
    return weight if gate is None else gate * weight


def straight_through(
    value: Float32[jax.Array, "*kernel"], surrogate: Float32[jax.Array, "*kernel"]
) -> Float32[jax.Array, "*kernel"]:
    """Return exactly `value`, with the gradient of `surrogate` (a straight-through estimator)."""
    return value + (surrogate - lax.stop_gradient(surrogate))


def adam_step(lane: Lane, gradients: Params, rate: float | jax.Array) -> Lane:
    """Return the lane after a step of `ADAM` with a learning rate; the method has this `direction`."""
    direction, opt_state = ADAM.update(gradients, lane.opt_state)
    params = jax.tree.map(lambda score, delta: score - rate * delta, lane.params, direction)
    return lane._replace(params=params, opt_state=opt_state)


def searched(context: MethodContext, tree: PyTree) -> PyTree:
    """Return the tree with None except for the kernels that are pruned at some rate."""
    return masks.where(prune.prunable(context.model.layer_types, context.pruning.rates), tree)


def size(tree: PyTree) -> int:
    """Return the number of weights of the layers of a tree."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def total(mask: Mask) -> jax.Array:
    """Return the number of weights that a mask keeps; also under `jax.jit`."""
    return sum((layer.sum() for layer in jax.tree.leaves(mask)), jnp.int32(0))


def highest(mask: Mask, scores: Params, key: PRNGKey) -> Mask:
    """Return the mask of the highest scores, in each layer as many as `mask` keeps; `key` breaks ties."""
    everywhere = jax.tree.map(jnp.ones_like, mask)
    return compiled.layerwise(scores, everywhere, jax.tree.map(jnp.count_nonzero, mask), key)


def highest_of_all(context: MethodContext, lane: Lane) -> Mask:
    """Return the mask of a lane's highest scores over all layers, as many as its mask keeps.

    Layers that are never pruned are whole.
    """
    mask, key = searched(context, lane.mask), tie_key(lane, "network")
    everywhere = jax.tree.map(jnp.ones_like, mask)
    return with_whole(lane.mask, compiled.globally(lane.params, everywhere, total(mask), key))


def with_whole(mask: Mask, kept: Mask) -> Mask:
    """Return `kept`, with whole layers where it is None and `mask` is not."""
    return masks.tree_map(
        lambda layer, chosen: jnp.ones_like(layer) if chosen is None and layer is not None else chosen,
        mask,
        kept,
    )


def found(context: MethodContext, lane: Lane, scores: Params, compare_layers: bool) -> FoundMask:
    """Return the mask that scores found, with exactly as many weights as the mask of the start.

    Args:
        context: network and configuration of pruning; layers that are never pruned stay whole.
        lane: lane on the host after its training.
        scores: score of each weight, like the mask.
        compare_layers: whether it has as many weights in all; else it has as many in each layer.
    """
    everywhere = jax.tree.map(np.ones_like, lane.mask)

    def select(sign: int) -> Mask:
        key = tie_key(lane, "found")
        signed = jax.tree.map(lambda score: sign * np.asarray(score), scores)
        if compare_layers:
            spared = prune.spare(signed, context.model.layer_types, context.pruning.rates)
            return selection.globally(spared, everywhere, masks.count(lane.mask), key)
        counts = jax.tree.map(np.count_nonzero, lane.mask)
        return selection.layerwise(signed, everywhere, counts, key)

    return FoundMask(select(1), select(-1))


def network(mask: Mask, lane: Lane) -> tuple[Mask, Params]:
    """Return the mask, and the lane's weights with zeros where it is False."""
    weights = masks.tree_map(
        lambda kept, param, weight: param if kept is None else weight,
        mask,
        lane.params,
        lane.method_state["weights"],
    )
    return mask, masks.apply(mask, weights)
