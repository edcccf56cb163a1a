"""Supermasks: a subnetwork of untrained weights, found by training its odds (Zhou et al., 2019)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltr import keys, masks
from ltr.methods import scores
from ltr.methods.method import Beginning, Lane, Method, Parts, no_notes

MULTIPLE = 50.0
"""Scores are log-odds, of the order of 1 where weights are of the order of 0.02: so much longer are steps."""


def build(parts: Parts) -> Method:
    """In every step each weight is used or not by a coin of odds exp(score), drawn anew.

    The gradient passes through the coin to its probability. What is evaluated is not drawn: every
    weight whose odds are even or better. So the density is what training makes it; the mask that the
    lane starts from says with which odds it begins.
    """

    def gate(lane: Lane, params: Any, number: jax.Array) -> Any:
        key = keys.fold(jax.random.wrap_key_data(jnp.asarray(lane.key)), "supermask", number)
        layers, structure = jax.tree.flatten(masks.where(lane.mask, params))
        gates = []
        for place, score in enumerate(layers):
            probability = jax.nn.sigmoid(score)
            coin = jax.random.bernoulli(jax.random.fold_in(key, place), probability)
            gates.append(scores.straight_through(jnp.float32(coin), probability))
        return jax.tree.unflatten(structure, gates)

    def network(lane: Lane) -> tuple[Any, Any]:
        used = jax.tree.map(lambda score: score >= 0, masks.where(lane.mask, lane.params))
        return scores.network(used, lane)

    return Method(begin, scores.step(parts, gate, MULTIPLE), network, no_notes)


def begin(of: Beginning) -> tuple[Any, Any]:
    """Scores of the odds that a connection of its layer is in the mask."""

    def even(kept: Any, weight: np.ndarray) -> np.ndarray:
        if kept is None:
            return weight
        odds = (kept.sum() + 0.5) / (kept.size - kept.sum() + 0.5)
        return np.full_like(weight, np.log(odds))

    return masks.tree_map(even, of.mask, of.weights), masks.where(of.mask, of.weights)
