"""Criteria: what a weight is worth after training. The weights of lowest score are pruned.

Those of Zhou et al. (2019), Deconstructing Lottery Tickets: theta_0 are the initial weights, theta_T
the trained ones.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from ltr.core import masks


class PruningInput(NamedTuple):
    """What a criterion may look at: NumPy pytrees of one structure.

    Attributes:
        initial: weights before any training, theta_0, unmasked.
        trained: weights at the end of the round's training, theta_T.
        mask: the round's mask (see `ltr.core.masks`).
        key: for what is drawn.
    """

    initial: Any
    trained: Any
    mask: Any
    key: jax.Array


Criterion = Callable[[PruningInput], Any]
"""Evidence -> scores: float arrays like the mask, finite; those of pruned weights do not matter.

Equal weights have equal scores, whatever their index: which of them are kept is drawn (see
`ltr.pruning.ties`).
"""


def _kernels(of: PruningInput, score: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Any:
    """The score of each prunable kernel by its initial weights, trained weights and mask."""
    return masks.tree_map(
        lambda kept, initial, trained: None if kept is None else score(initial, trained, kept),
        of.mask,
        of.initial,
        of.trained,
    )


def _percentiles(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the share of survivors that are no greater; 0 for pruned weights."""
    found = np.zeros(kept.shape)
    survivors = values[kept]
    found[kept] = np.searchsorted(np.sort(survivors), survivors, side="right") / max(1, survivors.size)
    return found


def magnitude(of: PruningInput) -> Any:
    """|theta_T| (Frankle & Carbin, 2019; "large_final" of Zhou et al.)."""
    return _kernels(of, lambda initial, trained, kept: np.abs(trained))


def small_final(of: PruningInput) -> Any:
    """-|theta_T|."""
    return _kernels(of, lambda initial, trained, kept: -np.abs(trained))


def large_init(of: PruningInput) -> Any:
    """|theta_0|."""
    return _kernels(of, lambda initial, trained, kept: np.abs(initial))


def small_init(of: PruningInput) -> Any:
    """-|theta_0|."""
    return _kernels(of, lambda initial, trained, kept: -np.abs(initial))


def large_init_large_final(of: PruningInput) -> Any:
    """The lower of the percentiles of |theta_0| and |theta_T| among the layer's survivors.

    Zhou et al. keep the weights of which both are above a common percentile, and bisect for the
    percentile that keeps as many as wanted. Both are above p exactly if the lower one is, so the
    weights whose lower percentile is highest are theirs, and need no search.
    """
    return _kernels(
        of,
        lambda initial, trained, kept: np.minimum(
            _percentiles(np.abs(initial), kept), _percentiles(np.abs(trained), kept)
        ),
    )


def small_init_small_final(of: PruningInput) -> Any:
    """As `large_init_large_final`, of -|theta_0| and -|theta_T|: both below a common percentile."""
    return _kernels(
        of,
        lambda initial, trained, kept: np.minimum(
            _percentiles(-np.abs(initial), kept), _percentiles(-np.abs(trained), kept)
        ),
    )


def magnitude_increase(of: PruningInput) -> Any:
    """|theta_T| - |theta_0|."""
    return _kernels(of, lambda initial, trained, kept: np.abs(trained) - np.abs(initial))


def movement(of: PruningInput) -> Any:
    """|theta_T - theta_0|."""
    return _kernels(of, lambda initial, trained, kept: np.abs(trained - initial))


def random(of: PruningInput) -> Any:
    """Drawn evenly from [0, 1)."""
    generator = np.random.default_rng(np.asarray(jax.random.key_data(of.key)))
    return _kernels(of, lambda initial, trained, kept: generator.random(kept.shape, np.float32))


def any_sign(initial: np.ndarray, trained: np.ndarray) -> Any:
    """Everywhere."""
    return True


def same_sign(initial: np.ndarray, trained: np.ndarray) -> Any:
    """Where theta_0 and theta_T have the same sign ("same_sign" of Zhou et al.)."""
    return np.sign(initial) == np.sign(trained)


def different_sign(initial: np.ndarray, trained: np.ndarray) -> Any:
    """Where theta_0 and theta_T have different signs ("different_sign" of Zhou et al.)."""
    return np.sign(initial) != np.sign(trained)
