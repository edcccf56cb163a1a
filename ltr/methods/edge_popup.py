"""Edge-popup: a subnetwork of untrained weights, found by training scores (Ramanujan et al., 2020)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float32, PyTree

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
    apply_update,
    no_notes,
    tie_key,
)
from ltr.models.kernel_shape import KernelShape


def build(context: MethodContext) -> Method:
    """Use the weights of largest |score| in every step, in each layer as many as the mask keeps.

    The gradient of a |score| is that of the loss with respect to the gated weight, times the weight.
    """

    def gate(lane: Lane, params: Params, step: StepNumber) -> Params:
        chosen, magnitudes = choose(lane, params)
        return jax.tree.map(scores.straight_through, jax.tree.map(jnp.float32, chosen), magnitudes)

    def network(lane: Lane) -> tuple[Mask, Params]:
        return scores.network(choose(lane, lane.params)[0], lane)

    def found(lane: Lane) -> FoundMask:
        return scores.found(context, lane, choose(lane, lane.params)[1], compare_layers=False)

    step = scores.step(context, gate, partial(apply_update, context.optimizer))
    return Method(partial(begin, context.model.kernels), step, network, no_notes, found, fused=context.fused)


def begin(kernels: PyTree[KernelShape], inputs: MethodInput) -> tuple[Params, dict[str, Params]]:
    """Draw scores uniformly from -1/sqrt(fan_in) to 1/sqrt(fan_in), as the authors' code does.

    `kernels`: see `ltr.models.model.Model`.
    """
    generator = np.random.default_rng(np.asarray(jax.random.key_data(inputs.key)))

    def drawn(
        kept: Bool[np.ndarray, "*kernel"], weight: Float32[np.ndarray, "*kernel"], kernel: KernelShape
    ) -> Float32[np.ndarray, "*kernel"]:
        bound = 1 / np.sqrt(kernel.fan_in)
        return generator.uniform(-bound, bound, weight.shape).astype(np.float32)

    return scores.begin(inputs, drawn, kernels)


def choose(lane: Lane, params: Params) -> tuple[Mask, Params]:
    """Return the mask of the weights that a lane with these scores uses, and the |score| of each weight."""
    magnitudes = jax.tree.map(jnp.abs, masks.where(lane.mask, params))
    return scores.highest(lane.mask, magnitudes, tie_key(lane, "edge-popup")), magnitudes
