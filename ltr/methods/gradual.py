"""Gradual magnitude pruning: weights are pruned while they train, once (Zhu & Gupta, 2017)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ltr.core import masks
from ltr.core.types import Mask, Params
from ltr.kernels import Images
from ltr.methods import scores, weights
from ltr.methods.method import (
    FoundMask,
    Labels,
    Lane,
    Loss,
    Method,
    MethodContext,
    MethodInput,
    StepNumber,
    no_notes,
    progress,
    pruned,
    tie_key,
)
from ltr.models import operations
from ltr.pruning import compiled, prune
from ltr.pruning.registry import SCOPES

BEGIN, END = 0.1, 0.6
"""Fractions of the training between which weights are pruned.

The paper begins after some epochs of dense training, and ends early enough to train on; it has no fractions
that would fit every network. These are a choice of ours.
"""

PRUNINGS = 60
"""Number of prunings, evenly between: every 100 steps of 12,000.

In the paper 100 to 1,000 steps between two prunings made no difference to speak of.
"""

NEVER = np.iinfo(np.int32).max
"""Step at which a weight that is kept is pruned."""


def cubic(context: MethodContext) -> Method:
    """Train all weights, and prune those of smallest magnitude in ever smaller numbers.

    After the fraction t of the prunings the sparsity is s (1 - (1 - t)^3), with s that of the ticket. Where
    the run prunes by layer, each layer has its own s; else all layers have one and are compared. A pruned
    weight stays zero, with moments of zero. The paper prunes each layer by the same s, and may let weights
    return: whichever are smallest are masked, at the values that they were masked with.
    """
    return _build(context, power=3)


def linear(context: MethodContext) -> Method:
    """Train as `cubic`, and prune as many weights each time: after t of the prunings the sparsity is s t."""
    return _build(context, power=1)


def _build(context: MethodContext, power: int) -> Method:
    trained = weights.build(context)

    def step(lane: Lane, images: Images, labels: Labels, step: StepNumber) -> tuple[Lane, Loss]:
        after, loss = trained.step(lane._replace(mask=kept(lane)), images, labels, step)
        after = after._replace(mask=lane.mask)
        before, now = (prunings(lane, number) for number in (step, step + 1))

        def with_fewer() -> Lane:
            left = 1 - (1 - now / PRUNINGS) ** power
            mask = smaller(context, after, left, step + 1)
            steps = jax.tree.map(
                lambda kept, pruned_at: jnp.where(kept, pruned_at, jnp.minimum(pruned_at, step + 1)),
                mask,
                lane.method_state["pruned_at"],
            )
            return pruned(context.optimizer.direction, after, mask)._replace(
                method_state=lane.method_state | {"pruned_at": steps}
            )

        return lax.cond(now > before, with_fewer, lambda: after), loss

    def network(lane: Lane) -> tuple[Mask, Params]:
        return kept(lane), lane.params

    def counted(lane: Lane, first: int, last: int) -> int:
        steps = jax.tree.map(lambda end: np.minimum(end, last) - first, lane.method_state["pruned_at"])
        return operations.step(context.model, steps, steps)

    return Method(
        begin,
        step,
        network,
        no_notes,
        found=lambda lane: FoundMask(kept(lane)),
        operations=counted,
        fused=trained.fused,
    )


def begin(inputs: MethodInput) -> tuple[Params, dict[str, Any]]:
    """Return the arm's weights, none of them pruned."""
    pruned_at = jax.tree.map(lambda layer: np.full(layer.shape, NEVER, np.int32), inputs.mask)
    return inputs.weights, {"pruned_at": pruned_at, "span": np.array(inputs.span, np.int32)}


def kept(lane: Lane) -> Mask:
    """Return the mask of the weights that are not pruned yet."""
    return jax.tree.map(lambda step: step == NEVER, lane.method_state["pruned_at"])


def prunings(lane: Lane, step: StepNumber) -> jax.Array:
    """Return the number of prunings in the first steps of a training, up to `step`."""
    fraction = (progress(lane, step) - BEGIN) / (END - BEGIN)
    return jnp.int32(PRUNINGS * jnp.clip(fraction, 0, 1))


def smaller(context: MethodContext, lane: Lane, fraction: jax.Array, step: StepNumber) -> Mask:
    """Return the mask after a pruning, with `fraction` of all that are to be pruned gone."""

    def left(size: int, count: jax.Array) -> jax.Array:
        pruned = jnp.int32(jnp.round((size - count) * fraction))
        return jnp.where(fraction < 1, size - jnp.minimum(pruned, size - count), count)

    magnitudes = jax.tree.map(jnp.abs, masks.where(lane.mask, lane.params))
    mask, key = kept(lane), tie_key(lane, "gradual", step)
    if SCOPES[context.pruning.scope].compares_layers:
        spared = prune.spare(magnitudes, context.model.layer_types, context.pruning.rates)
        return compiled.globally(spared, mask, left(scores.size(mask), scores.total(lane.mask)), key)
    counts = jax.tree.map(lambda layer: left(layer.size, layer.sum()), lane.mask)
    return compiled.layerwise(magnitudes, mask, counts, key)
