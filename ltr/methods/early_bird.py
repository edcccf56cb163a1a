"""Early-bird tickets: when in a training could the next mask have been drawn (You et al., 2020)?"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ltr.core import masks
from ltr.kernels import Images
from ltr.methods import weights
from ltr.methods.method import Lane, Method, MethodContext, MethodInput, tie_key
from ltr.pruning import compiled, prune
from ltr.pruning.registry import SCOPES

QUEUE = 5
"""Masks, one an epoch, that have to agree."""

TOLERANCE = 0.1
"""The largest distance between the newest of them and any other, as a fraction of the round's weights.

You et al. prune the dense network, all of whose weights these are. Of weights that are pruned already
no mask can differ.
"""

NEVER = -1


def build(context: MethodContext) -> Method:
    """As `weights`; and at the end of each epoch it draws the mask of the next round, by magnitude.

    Notes `early_bird_step`, the first step at which that mask and those of the four epochs before
    were nearly the same; null if there was none. It changes nothing of the training.
    """
    trains = weights.build(context)

    def step(lane: Lane, images: Images, labels: jax.Array, step: jax.Array) -> tuple[Lane, jax.Array]:
        after, loss = trains.step(lane, images, labels, step)
        ends = (step + 1) % context.steps_per_epoch == 0
        method_state = lax.cond(ends, lambda: look(context, after, step + 1), lambda: after.method_state)
        return after._replace(method_state=method_state), loss

    return Method(begin, step, trains.network, notes)


def begin(of: MethodInput) -> tuple[Any, Any]:
    """The arm's weights, and an empty queue of masks."""
    method_state = {
        "queue": jax.tree.map(lambda kept: np.zeros((QUEUE, *kept.shape), bool), of.mask),
        "seen": np.int32(0),
        "found": np.int32(NEVER),
        "target": jax.tree.map(np.int32, of.target),
    }
    return of.weights, method_state


def look(context: MethodContext, lane: Lane, step: jax.Array) -> Any:
    """The lane's memory after a look at the mask that its weights after `step` steps would have."""
    before, key = lane.method_state, tie_key(lane, "early bird")
    sizes = jax.tree.map(jnp.abs, masks.where(lane.mask, lane.params))
    if SCOPES[context.pruning.scope].compares_layers:
        worth = prune.spare(sizes, context.model.layer_types, context.pruning.rates)
        drawn = compiled.globally(worth, lane.mask, before["target"], key)
    else:
        drawn = compiled.layerwise(sizes, lane.mask, before["target"], key)
    queue = jax.tree.map(lambda old, new: jnp.concatenate([old[1:], new[None]]), before["queue"], drawn)
    seen = before["seen"] + 1
    agree = (seen >= QUEUE) & (distances(queue, lane.mask).max() <= TOLERANCE)
    found = jnp.where(agree & (before["found"] == NEVER), step, before["found"])
    return before | {"queue": queue, "seen": seen, "found": found}


def distances(queue: Any, mask: Any) -> jax.Array:
    """Fractions of the weights in `mask` in which the newest mask differs from each of the others."""
    layers = jax.tree.leaves(queue)
    differing = [(layer[:-1] != layer[-1]).reshape(QUEUE - 1, -1).sum(1) for layer in layers]
    return sum(differing) / sum(layer.sum() for layer in jax.tree.leaves(mask))


def notes(lane: Lane) -> dict[str, Any]:
    """`early_bird_step`."""
    found = int(lane.method_state["found"])
    return {"early_bird_step": None if found == NEVER else found}
