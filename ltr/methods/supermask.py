"""Supermasks: a subnetwork of untrained weights, found by training its odds (Zhou et al., 2019)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltr.core import masks, rng
from ltr.methods import scores
from ltr.methods.method import Lane, Method, MethodContext, MethodInput, no_notes

MULTIPLE = 50.0
"""Scores are log-odds, of the order of 1 where weights are of the order of 0.02: so much longer are steps."""

CERTAIN = 30.0
"""Log-odds of what is always used."""


def build(context: MethodContext) -> Method:
    """In every step each weight is used or not by a coin of odds exp(score), drawn anew.

    The gradient passes through the coin to its probability. What is evaluated is one more draw, the
    same every time. So the density is what training makes it; the mask that the lane starts from says
    with which odds it begins.
    """

    def gate(lane: Lane, params: Any, step: jax.Array) -> Any:
        odds = masks.where(lane.mask, params)
        coins = jax.tree.map(jnp.float32, toss(lane, odds, "step", step))
        return jax.tree.map(scores.straight_through, coins, jax.tree.map(jax.nn.sigmoid, odds))

    def network(lane: Lane) -> tuple[Any, Any]:
        return scores.network(toss(lane, masks.where(lane.mask, lane.params), "evaluation"), lane)

    return Method(begin, scores.step(context, gate, MULTIPLE), network, no_notes)


def begin(of: MethodInput) -> tuple[Any, Any]:
    """Scores of the odds that a connection of its layer is in the mask; a whole layer stays whole."""

    def alike(kept: np.ndarray, weight: np.ndarray) -> np.ndarray:
        odds = (kept.sum() + 0.5) / (kept.size - kept.sum() + 0.5)
        return np.full_like(weight, CERTAIN if kept.all() else np.log(odds))

    params, method_state = scores.begin(of, alike)
    return params, method_state | {"key": np.asarray(jax.random.key_data(of.key))}


def toss(lane: Lane, odds: Any, purpose: str, *indices: jax.Array) -> Any:
    """A mask drawn with these log-odds, by the lane's own key and the purpose."""
    key = rng.fold(jax.random.wrap_key_data(jnp.asarray(lane.method_state["key"])), purpose, *indices)
    layers, structure = jax.tree.flatten(odds)
    coins = [
        jax.random.bernoulli(jax.random.fold_in(key, place), jax.nn.sigmoid(score))
        for place, score in enumerate(layers)
    ]
    return jax.tree.unflatten(structure, coins)
