"""Relaxed Bernoulli gates: a supermask without straight-through gradients (Tsayag & Lindenbaum, 2026)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Bool, Float32

from ltr.core import masks, rng
from ltr.core.types import Mask, Params, PRNGKey
from ltr.methods import scores
from ltr.methods.method import FoundMask, Lane, Method, MethodContext, MethodInput, StepNumber, no_notes
from ltr.pruning import ties

SIGMA = 0.5
"""Standard deviation of the noise of a gate (Yamada et al., 2020)."""

FIRST_MEAN, DEVIATION = 0.5, 0.01
"""Mean and standard deviation of the first means of gates (the code of Yamada et al., 2020)."""

PENALTY = 1e-6
"""Factor of the expected number of open gates in the loss, see `build`."""

LEARNING_RATE = 0.01
"""Learning rate of Adam, see `build`."""


def build(context: MethodContext) -> Method:
    """Train a mean mu for each weight, whose gate is drawn in every step: mu + noise, clipped to [0, 1].

    The gradient passes through the gate where it is not clipped. A penalty on the expected number of open
    gates, the sum of Phi(mu / `SIGMA`), makes the network sparse. The mask that it finds has the highest
    means of all layers together, exactly as many as the ticket; so has the network that is evaluated.

    Of the paper's text only the abstract was within reach. Its gates are the stochastic gates of Yamada et
    al. (2020), whose noise and first means are used. The authors' penalty and optimizer are not known. That
    the highest means are taken is a choice of ours: the method itself has no number of weights to find.
    """

    def gate(lane: Lane, params: Params, step: StepNumber) -> Params:
        key = rng.fold(jax.random.wrap_key_data(jnp.asarray(lane.method_state["key"])), "step", step)
        return drawn(key, scores.searched(context, params))

    def update(lane: Lane, gradients: Params, step: StepNumber) -> Lane:
        penalised = masks.tree_map(
            lambda is_mean, gradient, mean: (
                gradient if is_mean is None else gradient + PENALTY / SIGMA * norm.pdf(mean / SIGMA)
            ),
            scores.searched(context, lane.mask),
            gradients,
            lane.params,
        )
        return scores.adam_step(lane, penalised, LEARNING_RATE)

    def network(lane: Lane) -> tuple[Mask, Params]:
        return scores.network(scores.highest_of_all(context, lane), lane)

    def found(lane: Lane) -> FoundMask:
        return scores.found(context, lane, masks.where(lane.mask, lane.params), compare_layers=True)

    return Method(
        begin,
        scores.step(context, gate, update),
        network,
        no_notes,
        found,
        direction=scores.ADAM,
        fused=context.fused,
    )


def begin(inputs: MethodInput) -> tuple[Params, dict[str, Any]]:
    """Draw means near `FIRST_MEAN`."""
    key = np.asarray(jax.random.key_data(inputs.key))
    generator = np.random.default_rng(key)

    def near(
        kept: Bool[np.ndarray, "*kernel"], weight: Float32[np.ndarray, "*kernel"]
    ) -> Float32[np.ndarray, "*kernel"]:
        return FIRST_MEAN + DEVIATION * generator.standard_normal(weight.shape, np.float32)

    params, method_state = scores.begin(inputs, near)
    return params, method_state | {"key": key}


def drawn(key: PRNGKey, means: Params) -> Params:
    """Draw gates."""

    def gate(mean: jax.Array, key: PRNGKey) -> jax.Array:
        return jnp.clip(mean + SIGMA * rng.normal(key, mean.shape), 0, 1)

    return jax.tree.map(gate, means, ties.of_layers(key, means))
