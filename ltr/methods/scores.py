"""What trainings of scores share: weights stay as they are, and a score decides which of them are used.

Their lanes have scores in the place of prunable kernels in `params`; the weights that these stand for
are in `method_state`, as "weights".
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ltr.core import masks
from ltr.kernels import Images
from ltr.methods.method import Lane, MethodContext, MethodInput, Step, apply_update, loss_of
from ltr.models.model import with_statistics
from ltr.pruning import compiled


def begin(of: MethodInput, draw: Callable[..., Any], *trees: Any) -> tuple[Any, Any]:
    """The beginning of a lane: a layer's mask, its weights and what `trees` have of it -> its scores."""
    params = masks.tree_map(
        lambda kept, weight, *others: weight if kept is None else draw(kept, weight, *others),
        of.mask,
        of.weights,
        *trees,
    )
    return params, {"weights": masks.where(of.mask, of.weights)}


def step(context: MethodContext, gate: Callable[[Lane, Any, jax.Array], Any], multiple: float = 1.0) -> Step:
    """A step on the scores of a lane.

    Every weight is multiplied by its gate, which is 0 or 1, and whose gradient with respect to the
    score is not (a straight-through estimator). Nothing but the scores moves, apart from running
    statistics.

    Args:
        context: see `ltr.methods.MethodContext`.
        gate: lane, its params, int32 step -> float32 gates, like the mask.
        multiple: see `apply_update`.
    """

    def step(lane: Lane, images: Images, labels: jax.Array, step: jax.Array) -> tuple[Lane, jax.Array]:
        loss = loss_of(context.model, lane, images, labels, step)

        def gated(params: Any) -> tuple[jax.Array, Any]:
            gates = gate(lane, params, step)
            return loss(masks.tree_map(_gated, lane.mask, params, gates, lane.method_state["weights"]))

        (value, statistics), gradients = jax.value_and_grad(gated, has_aux=True)(lane.params)
        of_scores = masks.tree_map(
            lambda kept, gradient: jnp.zeros_like(gradient) if kept is None else gradient,
            lane.mask,
            gradients,
        )
        after = apply_update(context.optimizer, lane, of_scores, step, multiple)
        params = masks.tree_map(
            lambda kept, new, old: old if kept is None else new, lane.mask, after.params, lane.params
        )
        return after._replace(params=with_statistics(params, statistics)), value

    return step


def _gated(kept: Any, param: jax.Array, gate: jax.Array, weight: jax.Array) -> jax.Array:
    return param if kept is None else gate * weight


def straight_through(value: jax.Array, as_if: jax.Array) -> jax.Array:
    """Exactly `value`, with the gradient of `as_if`."""
    return value + (as_if - lax.stop_gradient(as_if))


def highest(mask: Any, scores: Any, key: jax.Array) -> Any:
    """The mask of the highest scores, in each layer as many as `mask` keeps; `key` draws among equal ones."""
    everywhere = jax.tree.map(jnp.ones_like, mask)
    return compiled.layerwise(scores, everywhere, jax.tree.map(jnp.count_nonzero, mask), key)


def network(mask: Any, lane: Lane) -> tuple[Any, Any]:
    """The lane's weights under a mask."""
    weights = masks.tree_map(
        lambda kept, param, weight: param if kept is None else weight,
        mask,
        lane.params,
        lane.method_state["weights"],
    )
    return mask, masks.apply(mask, weights)
