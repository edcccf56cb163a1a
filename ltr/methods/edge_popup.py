"""Edge-popup: a subnetwork of untrained weights, found by training scores (Ramanujan et al., 2020)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltr import masks
from ltr.methods import scores
from ltr.methods.method import Beginning, Lane, Method, Parts, no_notes


def build(parts: Parts) -> Method:
    """In every step the weights of largest |score| are used, in each layer as many as the mask keeps.

    The gradient of a score is that of the loss with respect to its weight, times the weight.
    """

    def gate(lane: Lane, params: Any, number: jax.Array) -> Any:
        sizes = masks.where(lane.mask, jax.tree.map(jnp.abs, params))
        chosen = scores.highest(lane.mask, sizes)
        return jax.tree.map(scores.straight_through, jax.tree.map(jnp.float32, chosen), sizes)

    def network(lane: Lane) -> tuple[Any, Any]:
        sizes = masks.where(lane.mask, jax.tree.map(jnp.abs, lane.params))
        return scores.network(scores.highest(lane.mask, sizes), lane)

    return Method(begin, scores.step(parts, gate), network, no_notes)


def begin(of: Beginning) -> tuple[Any, Any]:
    """Scores drawn evenly from -1/sqrt(fan_in) to 1/sqrt(fan_in), as the authors' code does."""
    generator = np.random.default_rng(np.asarray(jax.random.key_data(of.key)))

    def drawn(kept: Any, weight: np.ndarray) -> np.ndarray:
        if kept is None:
            return weight
        bound = 1 / np.sqrt(np.prod(weight.shape[:-1]))
        return generator.uniform(-bound, bound, weight.shape).astype(np.float32)

    return masks.tree_map(drawn, of.mask, of.weights), masks.where(of.mask, of.weights)
