"""Supermasks: a subnetwork of untrained weights, found by training probabilities (Zhou et al., 2019)."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float32

from ltr.core import masks, rng
from ltr.core.types import Mask, Params
from ltr.methods import scores
from ltr.methods.method import (
    FoundMask,
    Lane,
    Method,
    MethodContext,
    MethodInput,
    StepNumber,
    apply_update,
    no_notes,
)

MULTIPLE = 50.0
"""Factor of the learning rate: scores are log-odds of order 1, while weights are of order 0.02."""

CERTAIN = 30.0
"""Log-odds of weights that are always used."""


def build(context: MethodContext) -> Method:
    """Draw in every step which weights are used, each with probability sigmoid(score).

    The gradient passes through the draw to the probability. Evaluation uses one more draw, the same every
    time. Training therefore decides the density; the mask of the start only sets the first probabilities.
    The mask that it finds has the weights of highest probability, over all layers together.
    """

    def gate(lane: Lane, params: Params, step: StepNumber) -> Params:
        log_odds = masks.where(lane.mask, params)
        gates = jax.tree.map(jnp.float32, draw_mask(lane, log_odds, "step", step))
        return jax.tree.map(scores.straight_through, gates, jax.tree.map(jax.nn.sigmoid, log_odds))

    update = partial(apply_update, context.optimizer, multiple=MULTIPLE)

    def network(lane: Lane) -> tuple[Mask, Params]:
        return scores.network(draw_mask(lane, masks.where(lane.mask, lane.params), "evaluation"), lane)

    def found(lane: Lane) -> FoundMask:
        return scores.found(context, lane, masks.where(lane.mask, lane.params), compare_layers=True)

    return Method(begin, scores.step(context, gate, update), network, no_notes, found, fused=context.fused)


def begin(inputs: MethodInput) -> tuple[Params, dict[str, Any]]:
    """Return scores that are the log-odds of their layer's density; dense layers stay dense."""

    def constant(
        kept: Bool[np.ndarray, "*kernel"], weight: Float32[np.ndarray, "*kernel"]
    ) -> Float32[np.ndarray, "*kernel"]:
        odds = (kept.sum() + 0.5) / (kept.size - kept.sum() + 0.5)
        return np.full_like(weight, CERTAIN if kept.all() else np.log(odds))

    params, method_state = scores.begin(inputs, constant)
    return params, method_state | {"key": np.asarray(jax.random.key_data(inputs.key))}


def draw_mask(lane: Lane, log_odds: Params, purpose: str, *indices: StepNumber) -> Mask:
    """Draw a mask with these log-odds from the lane's key, the purpose and indices."""
    key = rng.fold(jax.random.wrap_key_data(jnp.asarray(lane.method_state["key"])), purpose, *indices)
    layers, structure = jax.tree.flatten(log_odds)
    drawn = [
        rng.uniform(jax.random.fold_in(key, index), score.shape) < jax.nn.sigmoid(score)
        for index, score in enumerate(layers)
    ]
    return jax.tree.unflatten(structure, drawn)
