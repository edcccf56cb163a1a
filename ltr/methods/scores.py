"""Training of scores: weights stay fixed, and their scores decide which of them the network uses.

In these lanes `params` holds scores in place of prunable kernels. The weights of these kernels are in
`method_state["weights"]`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float32, PyTree

from ltr.core import masks
from ltr.core.types import Mask, Params, PRNGKey
from ltr.kernels import Images
from ltr.methods.method import (
    FoundMask,
    Labels,
    Lane,
    Loss,
    MethodContext,
    MethodInput,
    Step,
    StepNumber,
    apply_update,
    loss_of,
    tie_key,
)
from ltr.models.model import with_statistics
from ltr.pruning import compiled, prune, selection


def begin(inputs: MethodInput, draw: Callable[..., Any], *trees: PyTree) -> tuple[Params, dict[str, Params]]:
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


def step(
    context: MethodContext, gate: Callable[[Lane, Params, StepNumber], Params], multiple: float = 1.0
) -> Step:
    """Return a training step on the scores of a lane.

    Every weight is multiplied by its gate, 0 or 1. A straight-through estimator gives the gate a gradient
    with respect to its score. Only scores and running statistics change.

    Args:
        context: network and optimizer.
        gate: lane, its params, steps so far -> gates, like the mask.
        multiple: see `apply_update`.
    """

    def step(lane: Lane, images: Images, labels: Labels, step: StepNumber) -> tuple[Lane, Loss]:
        loss = loss_of(context.model, lane, images, labels, step)

        def gated(params: Params) -> tuple[Loss, Params]:
            gates = gate(lane, params, step)
            return loss(masks.tree_map(_gated, lane.mask, params, gates, lane.method_state["weights"]))

        (value, statistics), gradients = jax.value_and_grad(gated, has_aux=True)(lane.params)
        score_gradients = masks.tree_map(
            lambda kept, gradient: jnp.zeros_like(gradient) if kept is None else gradient,
            lane.mask,
            gradients,
        )
        after = apply_update(context.optimizer, lane, score_gradients, step, multiple)
        params = masks.tree_map(
            lambda kept, new, old: old if kept is None else new, lane.mask, after.params, lane.params
        )
        return after._replace(params=with_statistics(params, statistics)), value

    return step


def _gated(kept: Any, param: jax.Array, gate: Any, weight: Any) -> jax.Array:
    return param if kept is None else gate * weight


def straight_through(
    value: Float32[jax.Array, "*kernel"], surrogate: Float32[jax.Array, "*kernel"]
) -> Float32[jax.Array, "*kernel"]:
    """Return exactly `value`, with the gradient of `surrogate` (a straight-through estimator)."""
    return value + (surrogate - lax.stop_gradient(surrogate))


def highest(mask: Mask, scores: Params, key: PRNGKey) -> Mask:
    """Return the mask of the highest scores, in each layer as many as `mask` keeps; `key` breaks ties."""
    everywhere = jax.tree.map(jnp.ones_like, mask)
    return compiled.layerwise(scores, everywhere, jax.tree.map(jnp.count_nonzero, mask), key)


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
