"""Criteria: scores of weights after training. The weights of lowest score are pruned.

They are those of Zhou et al. (2019), Deconstructing Lottery Tickets. theta_0 are the initial weights, theta_T
the trained weights.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Float32

from ltr.core import masks
from ltr.core.types import Mask, Params, PRNGKey, Scores

Weights = Float32[np.ndarray, "*kernel"]
"""Weights of a layer."""


class PruningInput(NamedTuple):
    """Input of a criterion: NumPy pytrees of the same structure.

    Attributes:
        initial: weights before any training, theta_0, unmasked.
        trained: weights at the end of the round's training, theta_T.
        mask: mask of the round.
        key: for random draws.
    """

    initial: Params
    trained: Params
    mask: Mask
    key: PRNGKey


Criterion = Callable[[PruningInput], Scores]
"""Input -> finite scores; scores of pruned weights are ignored.

Equal weights must have equal scores, whatever their index: ties are broken at random (see
`ltr.pruning.ties`).
"""


def _kernels(
    inputs: PruningInput, score: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
) -> Scores:
    """Map initial weights, trained weights and mask of each prunable kernel to its scores."""
    return masks.tree_map(
        lambda kept, initial, trained: None if kept is None else score(initial, trained, kept),
        inputs.mask,
        inputs.initial,
        inputs.trained,
    )


def _percentiles(values: Weights, kept: Bool[np.ndarray, "*kernel"]) -> Float[np.ndarray, "*kernel"]:
    """Return the percentile (0 to 1) of each value among the survivors; 0 for pruned weights."""
    percentiles = np.zeros(kept.shape)
    survivors = values[kept]
    percentiles[kept] = np.searchsorted(np.sort(survivors), survivors, side="right") / max(1, survivors.size)
    return percentiles


def magnitude(inputs: PruningInput) -> Scores:
    """Score by |theta_T| (Frankle & Carbin, 2019; "large_final" of Zhou et al.)."""
    return _kernels(inputs, lambda initial, trained, kept: np.abs(trained))


def small_final(inputs: PruningInput) -> Scores:
    """Score by -|theta_T|."""
    return _kernels(inputs, lambda initial, trained, kept: -np.abs(trained))


def large_init(inputs: PruningInput) -> Scores:
    """Score by |theta_0|."""
    return _kernels(inputs, lambda initial, trained, kept: np.abs(initial))


def small_init(inputs: PruningInput) -> Scores:
    """Score by -|theta_0|."""
    return _kernels(inputs, lambda initial, trained, kept: -np.abs(initial))


def large_init_large_final(inputs: PruningInput) -> Scores:
    """Score by the lower of the percentiles of |theta_0| and |theta_T| among the layer's survivors.

    Zhou et al. keep the weights for which both are above a common percentile p, and find p by bisection on
    the number of kept weights. Both are above p exactly if the lower one is. So keeping the weights with the
    highest of these lower percentiles gives the same mask without a search.
    """
    return _kernels(
        inputs,
        lambda initial, trained, kept: np.minimum(
            _percentiles(np.abs(initial), kept), _percentiles(np.abs(trained), kept)
        ),
    )


def small_init_small_final(inputs: PruningInput) -> Scores:
    """Score by the lower of the percentiles of -|theta_0| and -|theta_T| among the layer's survivors.

    It keeps weights for which both magnitudes are below a common percentile (see `large_init_large_final`).
    """
    return _kernels(
        inputs,
        lambda initial, trained, kept: np.minimum(
            _percentiles(-np.abs(initial), kept), _percentiles(-np.abs(trained), kept)
        ),
    )


def magnitude_increase(inputs: PruningInput) -> Scores:
    """Score by |theta_T| - |theta_0|."""
    return _kernels(inputs, lambda initial, trained, kept: np.abs(trained) - np.abs(initial))


def movement(inputs: PruningInput) -> Scores:
    """Score by |theta_T - theta_0|."""
    return _kernels(inputs, lambda initial, trained, kept: np.abs(trained - initial))


def random(inputs: PruningInput) -> Scores:
    """Draw scores uniformly from [0, 1)."""
    generator = np.random.default_rng(np.asarray(jax.random.key_data(inputs.key)))
    return _kernels(inputs, lambda initial, trained, kept: generator.random(kept.shape, np.float32))


def any_sign(initial: Weights, trained: Weights) -> bool:
    """Accept all weights."""
    return True


def same_sign(initial: Weights, trained: Weights) -> Bool[np.ndarray, "*kernel"]:
    """Accept weights whose sign did not change in training ("same_sign" of Zhou et al.)."""
    return np.sign(initial) == np.sign(trained)


def different_sign(initial: Weights, trained: Weights) -> Bool[np.ndarray, "*kernel"]:
    """Accept weights whose sign changed in training ("different_sign" of Zhou et al.)."""
    return np.sign(initial) != np.sign(trained)
