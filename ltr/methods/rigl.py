"""RigL: a sparse network whose connections move while it trains (Evci et al., 2020)."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Float32

from ltr.core import masks
from ltr.core.types import Mask, Params, PRNGKey
from ltr.kernels import Array, Images
from ltr.methods import rigl_schedule
from ltr.methods.method import (
    FoundMask,
    Labels,
    Lane,
    Loss,
    Method,
    MethodContext,
    StepNumber,
    apply_update,
    loss_of,
    no_notes,
    tie_key,
)
from ltr.methods.weights import begin, network
from ltr.models.model import with_statistics
from ltr.pruning import compiled, ties

FRACTION = 0.3
"""Fraction of a layer's connections that are dropped at step 0; it decays to 0 along a cosine."""


def build(context: MethodContext) -> Method:
    """Train the weights, and regularly replace connections of small weight by those of large gradient.

    Every layer keeps its density. Connections of smallest |weight| are dropped. As many of largest |gradient|
    are grown among all connections that are not kept. These include the ones just dropped, so that there are
    enough to choose from at any density. A new connection has zero weight and zero optimizer moments; one
    that is dropped and grown again at once keeps both. In a step that moves connections the optimizer does
    not step.

    As in algorithm 1 of the paper, connections move in each step t with t mod `EVERY` = 0 and t < `UNTIL` of
    the training. That includes step 0, which replaces initial weights of small magnitude. The authors'
    TensorFlow code (`SparseSETOptimizerBase`) does the same. A widely used PyTorch version (rigl-torch)
    counts steps from 1 and first moves connections after `EVERY` steps. Both grow among all that are not
    kept, as here. The authors add noise of standard deviation 1e-5 to |weight|; here only ties are broken at
    random.
    """
    end = rigl_schedule.UNTIL * context.steps

    def step(lane: Lane, images: Images, labels: Labels, step: StepNumber) -> tuple[Lane, Loss]:
        loss = loss_of(context.model, lane, images, labels, step)
        (value, statistics), gradients = jax.value_and_grad(loss, has_aux=True)(lane.params)

        def train() -> Lane:
            return apply_update(context.optimizer, lane, masks.apply(lane.mask, gradients), step)

        def move() -> Lane:
            fraction = FRACTION / 2 * (1 + jnp.cos(jnp.pi * step / end))
            keys = (tie_key(lane, purpose, step) for purpose in ("drop", "grow"))
            mask = moved_mask(lane.mask, lane.params, gradients, fraction, *keys)
            return with_mask(context.optimizer.direction, lane, mask)

        after = lax.cond(rigl_schedule.is_move(step, context.steps), move, train)
        return after._replace(params=with_statistics(after.params, statistics)), value

    return Method(begin, step, network, no_notes, found=lambda lane: FoundMask(lane.mask))


def moved_mask(
    mask: Mask,
    params: Params,
    gradients: Params,
    fraction: Float32[Array, ""],
    drop: PRNGKey,
    grow: PRNGKey,
) -> Mask:
    """Return the mask after dropping and growing floor(`fraction` x connections) in each layer.

    The keys `drop` and `grow` break ties among equal weights and equal gradients.
    """

    def layer(kept: Any, weight: jax.Array, gradient: jax.Array, drop_key: Any, grow_key: Any) -> Any:
        if kept is None:
            return None
        count = kept.sum()
        num_moved = jnp.int32(fraction * count)
        remaining = compiled.keep_highest(jnp.abs(weight), kept, count - num_moved, drop_key)
        return remaining | compiled.keep_highest(jnp.abs(gradient), ~remaining, num_moved, grow_key)

    keys = (ties.of_layers(key, mask) for key in (drop, grow))
    return masks.tree_map(layer, mask, params, gradients, *keys)


def with_mask(direction: optax.GradientTransformation, lane: Lane, mask: Mask) -> Lane:
    """Return the lane with another mask, and with zero weights and moments where it prunes."""
    everywhere = masks.tree_map(
        lambda kept, param: jnp.ones_like(param, bool) if kept is None else kept, mask, lane.params
    )
    opt_state = optax.tree.map_params(
        direction, lambda moment, kept: jnp.where(kept, moment, 0), lane.opt_state, everywhere
    )
    return lane._replace(params=masks.apply(mask, lane.params), opt_state=opt_state, mask=mask)
