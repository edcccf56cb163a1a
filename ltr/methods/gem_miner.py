"""Gem-Miner: a subnetwork that training scores and freezing low ones finds (Sreenivasan et al., 2022)."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float32

from ltr.core import masks
from ltr.core.types import Mask, Params
from ltr.methods import scores
from ltr.methods.method import (
    FoundMask,
    Lane,
    Method,
    MethodContext,
    MethodInput,
    StepNumber,
    no_notes,
    progress,
    tie_key,
)
from ltr.pruning import compiled

THRESHOLD = 0.5
"""Least score of a weight that is used (their rounding)."""

PENALTY = 1e-6
"""Factor of the sum of the squared scores in the loss: theirs for VGG-16, see `build`."""

FREEZINGS = 30
"""Times at which the lowest scores are frozen, evenly over the search: every 5 of 150 epochs (their code)."""

LEARNING_RATE = 0.01
"""First learning rate of Adam, which falls along half a cosine to 0 (their code, for VGG-16)."""


def build(context: MethodContext) -> Method:
    """Train a score p from 0 to 1 for each weight; a weight is used if p >= 0.5, and unless it is frozen.

    The gradient of a score is that of the loss with respect to the gated weight, times the weight, plus that
    of `PENALTY` times p squared. After each step scores are clipped to [0, 1]. At `FREEZINGS` times the
    lowest scores of all layers together are frozen for good, their weights at zero, so that a density of
    s^t is left after the fraction t of the search. Here s is the density of the ticket.

    The mask that it finds has the weights that are not frozen at the end, exactly as many as the ticket. Of
    those the network of the search uses only the ones whose score is at least 0.5, as in the paper.

    It follows the paper's text. Where the text is silent it follows the authors' code: scores are drawn
    uniformly, the penalty is a sum over all weights, and the optimizer is theirs for VGG-16. Their code
    rounds by p > 0.5, does not freeze at the very end, and cuts a fraction of what is left, rounded up, at a
    time. The text's mask is that of the weights used at the end, which may be fewer than asked for. Their
    code, as here, takes all that are not frozen (`unflag_before_finetune`). Text and code start from the
    initial weights.
    """

    def gate(lane: Lane, params: Params, step: StepNumber) -> Params:
        return jax.tree.map(
            lambda score, active: scores.straight_through(
                jnp.float32((score >= THRESHOLD) & active), jnp.where(active, score, 0)
            ),
            scores.searched(context, params),
            lane.method_state["active"],
        )

    def update(lane: Lane, gradients: Params, step: StepNumber) -> Lane:
        is_score = scores.searched(context, lane.mask)
        penalised = masks.tree_map(
            lambda score, gradient, p: gradient if score is None else gradient + 2 * PENALTY * p,
            is_score,
            gradients,
            lane.params,
        )
        rate = LEARNING_RATE / 2 * (1 + jnp.cos(jnp.pi * progress(lane, step)))
        after = scores.adam_step(lane, penalised, rate)
        params = masks.tree_map(
            lambda score, p: p if score is None else jnp.clip(p, 0, 1), is_score, after.params
        )
        before, now = (jnp.int32(FREEZINGS * progress(lane, s)) for s in (step, step + 1))
        active = lax.cond(
            now > before,
            lambda: remaining(context, lane, params, now),
            lambda: lane.method_state["active"],
        )
        return after._replace(params=params, method_state=lane.method_state | {"active": active})

    def network(lane: Lane) -> tuple[Mask, Params]:
        used = jax.tree.map(
            lambda score, active: (score >= THRESHOLD) & active,
            scores.searched(context, lane.params),
            lane.method_state["active"],
        )
        return scores.network(scores.with_whole(lane.mask, used), lane)

    def found(lane: Lane) -> FoundMask:
        ranks = jax.tree.map(
            lambda score, active: score + active,
            scores.searched(context, lane.params),
            lane.method_state["active"],
        )
        return scores.found(context, lane, ranks, compare_layers=True)

    return Method(
        partial(begin, context),
        scores.step(context, gate, update),
        network,
        no_notes,
        found,
        direction=scores.ADAM,
        fused=context.fused,
    )


def begin(context: MethodContext, inputs: MethodInput) -> tuple[Params, dict[str, Any]]:
    """Draw scores uniformly from 0 to 1; nothing is frozen."""
    generator = np.random.default_rng(np.asarray(jax.random.key_data(inputs.key)))

    def drawn(
        kept: Bool[np.ndarray, "*kernel"], weight: Float32[np.ndarray, "*kernel"]
    ) -> Float32[np.ndarray, "*kernel"]:
        return generator.random(weight.shape, np.float32)

    params, method_state = scores.begin(inputs, drawn)
    active = jax.tree.map(np.ones_like, scores.searched(context, inputs.mask))
    return params, method_state | {"active": active, "span": np.array(inputs.span, np.int32)}


def remaining(context: MethodContext, lane: Lane, params: Params, times: jax.Array) -> Mask:
    """Return the mask of the weights that are not frozen after freezing for the `times`-th time."""
    active, target = lane.method_state["active"], scores.searched(context, lane.mask)
    size, count = scores.size(target), scores.total(target)
    bound = jnp.ceil(size * (count / size) ** (times / FREEZINGS)).astype(jnp.int32)
    left = jnp.where(times == FREEZINGS, count, jnp.maximum(bound, count))
    return compiled.globally(params, active, left, tie_key(lane, "freezing", times))
