"""Weights of arms: sources of the weights that train, and treatments of the pruned ones.

Weights and masks are of NumPy arrays.
"""

import jax
import numpy as np
from jaxtyping import Bool, Float32

from ltr.arms.context import ArmContext, Subnetwork
from ltr.core import masks, rng
from ltr.core.types import Mask, Params, PRNGKey

Kept = Bool[np.ndarray, "*shape"] | None
"""Mask of a parameter; None if it is never pruned."""

Weights = Float32[np.ndarray, "*shape"]
"""Values of a parameter."""


def own(context: ArmContext, start: Subnetwork, key: PRNGKey) -> Params:
    """Return the weights that belong to the mask: the values that its survivors were rewound to."""
    return start.weights


def initial(context: ArmContext, start: Subnetwork, key: PRNGKey) -> Params:
    """Return the weights at initialisation, whatever the rewind step."""
    return context.initial


def rewound(context: ArmContext, start: Subnetwork, key: PRNGKey) -> Params:
    """Return all weights at the rewind step, unmasked."""
    return context.rewind_params


def reinit(context: ArmContext, start: Subnetwork, key: PRNGKey) -> Params:
    """Draw new weights from the initialiser (Frankle & Carbin, 2019, "random reinit").

    They are untrained. With a rewind step k > 0 the ticket has k more steps of training.
    """
    return context.init(key)


def reinit_trained_signs(context: ArmContext, start: Subnetwork, key: PRNGKey) -> Params:
    """Draw new weights with the signs of those that the ticket was pruned from (Oh et al., 2025).

    Signs are free to change in training. The authors carry signs over from their own way of training, which
    interpolates the parameters of normalisations; without those it is learning-rate rewinding.
    """
    return with_signs(context.init(key), Subnetwork(start.mask, context.trained()))


def reshuffled(context: ArmContext, start: Subnetwork, key: PRNGKey) -> Params:
    """Permute the survivors' own weights within each layer (Zhou et al., 2019, "reshuffle")."""
    generator = _generator(key)

    def layer(kept: Kept, weights: Weights) -> Weights:
        if kept is None:
            return weights
        permuted = weights.copy()
        permuted[kept] = generator.permutation(weights[kept])
        return permuted

    return masks.tree_map(layer, start.mask, start.weights)


def constant(context: ArmContext, start: Subnetwork, key: PRNGKey) -> Params:
    """Set weights to the standard deviation of the layer's initial weights, with random signs.

    (Zhou et al., 2019.)
    """
    generator = _generator(key)

    def layer(kept: Kept, weights: Weights, initial: Weights) -> Weights:
        if kept is None:
            return weights
        return generator.choice(np.array([-1, 1], np.float32), weights.shape) * initial.std()

    return masks.tree_map(layer, start.mask, start.weights, context.initial)


def with_signs(weights: Params, start: Subnetwork) -> Params:
    """Give weights the signs of the arm's own weights (Zhou et al., 2019)."""
    return masks.tree_map(
        lambda kept, new, own: new if kept is None else np.copysign(new, own),
        start.mask,
        weights,
        start.weights,
    )


def with_noise(weights: Params, context: ArmContext, mask: Mask, scale: float, key: PRNGKey) -> Params:
    """Add Gaussian noise of `scale` times the standard deviation of each layer's initial weights.

    (Frankle & Carbin, 2019, appendix: how near the initial weights a ticket has to start.)
    """
    generator = _generator(key)

    def layer(kept: Kept, new: Weights, initial: Weights) -> Weights:
        if kept is None:
            return new
        return new + scale * initial.std() * generator.standard_normal(new.shape, np.float32)

    return masks.tree_map(layer, mask, weights, context.initial)


def zero(context: ArmContext, mask: Mask, weights: Params) -> Params:
    """Set pruned weights to zero."""
    return masks.apply(mask, weights)


def kept(context: ArmContext, mask: Mask, weights: Params) -> Params:
    """Leave pruned weights as the source of weights gives them."""
    return weights


def frozen(context: ArmContext, mask: Mask, weights: Params) -> Params:
    """Set pruned weights to their initial values, at which they stay (Zhou et al., 2019)."""
    return masks.tree_map(
        lambda kept, new, old: new if kept is None else np.where(kept, new, old),
        mask,
        weights,
        context.initial,
    )


def frozen_if_grown(context: ArmContext, mask: Mask, weights: Params) -> Params:
    """Set pruned weights to their initial values, but to zero where dense training reduced their magnitude.

    (Zhou et al., 2019.)
    """

    def layer(kept: Kept, new: Weights, old: Weights, trained: Weights) -> Weights:
        if kept is None:
            return new
        return np.where(kept, new, np.where(np.abs(old) > np.abs(trained), 0, old))

    return masks.tree_map(layer, mask, weights, context.initial, context.dense())


def _generator(key: PRNGKey) -> np.random.Generator:
    return np.random.default_rng(np.asarray(jax.random.key_data(rng.fold(key, "numpy"))))
