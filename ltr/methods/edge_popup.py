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
    """Use the weights of largest |score| in every step, in each layer as many as the mask keeps.

    The gradient of a |score| is that of the loss with respect to the gated weight, times the weight.
    """

    def gate(lane: Lane, params: Any, step: jax.Array) -> Any:
        chosen, magnitudes = choose(lane, params)
        return jax.tree.map(scores.straight_through, jax.tree.map(jnp.float32, chosen), magnitudes)

    def network(lane: Lane) -> tuple[Any, Any]:
        return scores.network(choose(lane, lane.params)[0], lane)

    return Method(partial(begin, context.model.kernels), scores.step(context, gate), network, no_notes)


def begin(kernels: Any, inputs: MethodInput) -> tuple[Any, Any]:
    """Draw scores uniformly from -1/sqrt(fan_in) to 1/sqrt(fan_in), as the authors' code does.

    `kernels`: see `ltr.models.model.Model`.
    """
    generator = np.random.default_rng(np.asarray(jax.random.key_data(inputs.key)))

    def drawn(kept: np.ndarray, weight: np.ndarray, kernel: KernelShape) -> np.ndarray:
        bound = 1 / np.sqrt(kernel.fan_in)
        return generator.uniform(-bound, bound, weight.shape).astype(np.float32)

    return scores.begin(inputs, drawn, kernels)


def choose(lane: Lane, params: Any) -> tuple[Any, Any]:
    """Return the mask of the weights that a lane with these scores uses, and the |score| of each weight."""
    magnitudes = jax.tree.map(jnp.abs, masks.where(lane.mask, params))
    return scores.highest(lane.mask, magnitudes, tie_key(lane, "edge-popup")), magnitudes
