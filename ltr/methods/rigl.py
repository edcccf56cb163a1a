"""RigL: a sparse network whose connections move while it trains (Evci et al., 2020)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
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
    pruned,
    tie_key,
)
from ltr.methods.weights import begin, network
from ltr.models import operations
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

    Steps that move connections need the gradients of all weights (Evci et al., 2020, appendix H).
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
            return pruned(context.optimizer.direction, lane, mask)._replace(mask=mask)

        after = lax.cond(rigl_schedule.is_move(step, context.steps), move, train)
        return after._replace(params=with_statistics(after.params, statistics)), value

    def operations_of(lane: Lane, first: int, last: int) -> int:
        moves = int(rigl_schedule.is_move(np.arange(first, last), context.steps).sum())
        whole = jax.tree.map(np.ones_like, lane.mask)
        still, moving = (operations.step(context.model, lane.mask, trained) for trained in (lane.mask, whole))
        return (last - first - moves) * still + moves * moving

    return Method(
        begin,
        step,
        network,
        no_notes,
        found=lambda lane: FoundMask(lane.mask),
        operations=operations_of,
    )


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
