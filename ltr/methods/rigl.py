"""RigL: a sparse network whose connections move while it trains (Evci et al., 2020)."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from ltr.core import masks
from ltr.kernels import Images
from ltr.methods import rigl_schedule
from ltr.methods.method import Lane, Method, MethodContext, apply_update, loss_of, no_notes, tie_key
from ltr.methods.weights import begin, network
from ltr.models.model import with_statistics
from ltr.pruning import compiled, ties

FRACTION = 0.3
"""Fraction of a layer's connections that a move at step 0 drops; later ones less, along a cosine to 0."""


def build(context: MethodContext) -> Method:
    """Trains the weights; now and then connections of small weight give way to those of large gradient.

    Every layer keeps its density: the smallest |weight| are dropped, and as many are grown of the largest
    |gradient| among all that are not kept, those just dropped included, so that any density leaves
    enough to choose from. What is new has weight and moments zero; what comes back keeps them. In the
    step of a move the optimizer does not move.

    As algorithm 1 of the paper, connections move in each step t with t mod `EVERY` = 0 and t < `UNTIL` of
    the training, step 0 included: initial weights of small magnitude give way at once. So does the authors'
    TensorFlow code (`SparseSETOptimizerBase`). A PyTorch version in wide use (rigl-torch) counts steps
    from 1, and first moves after `EVERY` steps. Both grow among all that are not kept, as here. The
    authors add noise of deviation 1e-5 to |weight|; here equal weights and gradients alone are drawn by lot.
    """
    last = rigl_schedule.UNTIL * context.steps

    def step(lane: Lane, images: Images, labels: jax.Array, step: jax.Array) -> tuple[Lane, jax.Array]:
        loss = loss_of(context.model, lane, images, labels, step)
        (value, statistics), gradients = jax.value_and_grad(loss, has_aux=True)(lane.params)

        def train() -> Lane:
            return apply_update(context.optimizer, lane, masks.apply(lane.mask, gradients), step)

        def move() -> Lane:
            fraction = FRACTION / 2 * (1 + jnp.cos(jnp.pi * step / last))
            draws = (tie_key(lane, purpose, step) for purpose in ("drop", "grow"))
            mask = moved_mask(lane.mask, lane.params, gradients, fraction, *draws)
            return with_mask(context.optimizer.direction, lane, mask)

        after = lax.cond(rigl_schedule.is_move(step, context.steps), move, train)
        return after._replace(params=with_statistics(after.params, statistics)), value

    return Method(begin, step, network, no_notes)


def moved_mask(
    mask: Any, params: Any, gradients: Any, fraction: jax.Array, drop: jax.Array, grow: jax.Array
) -> Any:
    """The mask with `fraction` of each layer's connections, rounded down, dropped and as many grown.

    The keys `drop` and `grow` draw among equal weights and equal gradients.
    """

    def layer(kept: Any, weight: jax.Array, gradient: jax.Array, dropped: Any, grown: Any) -> Any:
        if kept is None:
            return None
        count = kept.sum()
        going = jnp.int32(fraction * count)
        staying = compiled.keep_highest(jnp.abs(weight), kept, count - going, dropped)
        return staying | compiled.keep_highest(jnp.abs(gradient), ~staying, going, grown)

    draws = (ties.of_layers(key, mask) for key in (drop, grow))
    return masks.tree_map(layer, mask, params, gradients, *draws)


def with_mask(direction: optax.GradientTransformation, lane: Lane, mask: Any) -> Lane:
    """The lane with another mask; weights and moments that it prunes are zero."""
    everywhere = masks.tree_map(
        lambda kept, param: jnp.ones_like(param, bool) if kept is None else kept, mask, lane.params
    )
    opt_state = optax.tree.map_params(
        direction, lambda moment, kept: jnp.where(kept, moment, 0), lane.opt_state, everywhere
    )
    return lane._replace(params=masks.apply(mask, lane.params), opt_state=opt_state, mask=mask)
