"""Edge-popup: a subnetwork of untrained weights, found by training scores (Ramanujan et al., 2020)."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltr.core import masks
from ltr.methods import scores
from ltr.methods.method import Lane, Method, MethodContext, MethodInput, no_notes, tie_key
from ltr.models.kernel_shape import KernelShape


def build(context: MethodContext) -> Method:
    """In every step the weights of largest |score| are used, in each layer as many as the mask keeps.

    The gradient of a |score| is that of the loss with respect to its weight, times the weight.
    """

    def gate(lane: Lane, params: Any, step: jax.Array) -> Any:
        chosen, sizes = choose(lane, params)
        return jax.tree.map(scores.straight_through, jax.tree.map(jnp.float32, chosen), sizes)

    def network(lane: Lane) -> tuple[Any, Any]:
        return scores.network(choose(lane, lane.params)[0], lane)

    return Method(partial(begin, context.model.kernels), scores.step(context, gate), network, no_notes)


def begin(kernels: Any, of: MethodInput) -> tuple[Any, Any]:
    """Scores drawn evenly from -1/sqrt(fan_in) to 1/sqrt(fan_in), as the authors' code does.

    `kernels`: see `ltr.models.model.Model`.
    """
    generator = np.random.default_rng(np.asarray(jax.random.key_data(of.key)))

    def drawn(kept: np.ndarray, weight: np.ndarray, kernel: KernelShape) -> np.ndarray:
        bound = 1 / np.sqrt(kernel.fan_in)
        return generator.uniform(-bound, bound, weight.shape).astype(np.float32)

    return scores.begin(of, drawn, kernels)


def choose(lane: Lane, params: Any) -> tuple[Any, Any]:
    """The mask of the weights that a lane with these scores uses, and the |score| of each."""
    sizes = jax.tree.map(jnp.abs, masks.where(lane.mask, params))
    return scores.highest(lane.mask, sizes, tie_key(lane, "edge-popup")), sizes
