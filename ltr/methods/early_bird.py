"""Early-bird tickets: the step at which the next mask could have been drawn (You et al., 2020)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float32, PyTree

from ltr.core import masks
from ltr.core.types import Mask, Params
from ltr.kernels import Array, Images
from ltr.methods import weights
from ltr.methods.method import Labels, Lane, Loss, Method, MethodContext, MethodInput, StepNumber, tie_key
from ltr.methods.registry import EARLY_BIRD_STEP
from ltr.pruning import compiled, prune
from ltr.pruning.registry import SCOPES

QUEUE = 5
"""Masks of consecutive epochs that have to agree."""

TOLERANCE = 0.1
"""Largest distance between the newest mask and any other, as a fraction of the round's weights.

You et al. prune the dense network, whose weights all count. Here weights that are already pruned are not
counted, because masks cannot differ in them.
"""

NEVER = -1
"""Value of the step while no early-bird ticket has been found."""


def build(context: MethodContext) -> Method:
    """Train as `weights`, and draw the mask of the next round by magnitude at the end of each epoch.

    It notes `early_bird_step`, the first step at which that mask and those of the four epochs before were
    nearly the same; null if there was none. The training itself is unchanged.
    """
    trained = weights.build(context)

    def step(lane: Lane, images: Images, labels: Labels, step: StepNumber) -> tuple[Lane, Loss]:
        after, loss = trained.step(lane, images, labels, step)
        ends_epoch = (step + 1) % context.steps_per_epoch == 0
        method_state = lax.cond(
            ends_epoch, lambda: add_mask(context, after, step + 1), lambda: after.method_state
        )
        return after._replace(method_state=method_state), loss

    return Method(begin, step, trained.network, notes, fused=trained.fused)


def until(context: MethodContext) -> Method:
    """Train as `build` until the mask of the next round can be drawn, and change nothing from then on.

    So the next round is pruned from the weights at that step, or from the last ones if there is none.
    """
    watched = build(context)

    def step(lane: Lane, images: Images, labels: Labels, step: StepNumber) -> tuple[Lane, Loss]:
        is_over = lane.method_state["found"] != NEVER
        return lax.cond(
            is_over, lambda: (lane, jnp.zeros(())), lambda: watched.step(lane, images, labels, step)
        )

    return watched._replace(step=step, ends_at=EARLY_BIRD_STEP.name)


def begin(inputs: MethodInput) -> tuple[Params, dict[str, Any]]:
    """Return the arm's weights, and an empty queue of masks."""
    method_state = {
        "queue": jax.tree.map(lambda kept: np.zeros((QUEUE, *kept.shape), bool), inputs.mask),
        "seen": np.int32(0),
        "found": np.int32(NEVER),
        "target": jax.tree.map(np.int32, inputs.target),
    }
    return inputs.weights, method_state


def add_mask(context: MethodContext, lane: Lane, step: StepNumber) -> dict[str, Any]:
    """Add the mask that pruning after `step` steps would give to the queue; return the method state."""
    before, key = lane.method_state, tie_key(lane, "early bird")
    scores = jax.tree.map(jnp.abs, masks.where(lane.mask, lane.params))
    if SCOPES[context.pruning.scope].compares_layers:
        scores = prune.spare(scores, context.model.layer_types, context.pruning.rates)
        drawn = compiled.globally(scores, lane.mask, before["target"], key)
    else:
        drawn = compiled.layerwise(scores, lane.mask, before["target"], key)
    queue = jax.tree.map(lambda old, new: jnp.concatenate([old[1:], new[None]]), before["queue"], drawn)
    seen = before["seen"] + 1
    agree = (seen >= QUEUE) & (distances(queue, lane.mask).max() <= TOLERANCE)
    found = jnp.where(agree & (before["found"] == NEVER), step, before["found"])
    return before | {"queue": queue, "seen": seen, "found": found}


def distances(queue: PyTree[Bool[Array, "queue ..."]], mask: Mask) -> Float32[jax.Array, "older"]:
    """Return the fraction of the weights in `mask` in which the newest mask differs from each older one."""
    layers = jax.tree.leaves(queue)
    differing = [(layer[:-1] != layer[-1]).reshape(QUEUE - 1, -1).sum(1) for layer in layers]
    return sum(differing) / sum(layer.sum() for layer in jax.tree.leaves(mask))


def notes(lane: Lane) -> dict[str, Any]:
    """Return the column `early_bird_step`."""
    step = int(lane.method_state["found"])
    return {EARLY_BIRD_STEP.name: None if step == NEVER else step}
