"""Selection: keeps exactly as many weights of highest score as a target says.

Masks and scores are pytrees of NumPy arrays; None stands for a parameter that is never pruned. Ties are
broken at random (see `ltr.pruning.ties`).
"""

import jax
import numpy as np
from jaxtyping import Bool, Float, PyTree

from ltr.core import masks
from ltr.core.types import Mask, PRNGKey, Scores
from ltr.pruning import ties


def layerwise(scores: Scores, mask: Mask, counts: PyTree[int], key: PRNGKey) -> Mask:
    """Keep the weights of highest score in each layer.

    Args:
        scores: scores of the weights.
        mask: survivors (True); only they can be kept.
        counts: number of weights to keep in each layer, at most its survivors; None elsewhere.
        key: breaks ties.
    """
    return masks.tree_map(
        lambda kept, score, count, key: None if kept is None else keep_highest(score, kept, count, key),
        mask,
        scores,
        counts,
        ties.of_layers(key, mask),
    )


def globally(scores: Scores, mask: Mask, total: int, key: PRNGKey) -> Mask:
    """Keep the `total` weights of highest score over all layers together.

    Arguments as for `layerwise`.
    """
    kept, structure = jax.tree.flatten(mask)
    scored = jax.tree.leaves(masks.where(mask, scores))
    score, survivors = (np.concatenate([layer.ravel() for layer in tree]) for tree in (scored, kept))
    ends = np.cumsum([layer.size for layer in kept])[:-1]
    parts = np.split(keep_highest(score, survivors, total, key), ends)
    shaped = [part.reshape(layer.shape) for part, layer in zip(parts, kept, strict=True)]
    return jax.tree.unflatten(structure, shaped)


def keep_highest(
    score: Float[np.ndarray, "*kernel"], kept: Bool[np.ndarray, "*kernel"], count: int, key: PRNGKey
) -> Bool[np.ndarray, "*kernel"]:
    """Return the mask of the `count` highest scores among the survivors; `key` breaks ties."""
    mask = np.zeros(kept.size, bool)
    if count:
        survivors = np.flatnonzero(kept)
        values = score.ravel()[survivors]
        lowest = np.partition(values, len(values) - count)[len(values) - count]
        mask[survivors[values > lowest]] = True
        tied, remaining = survivors[values == lowest], count - np.count_nonzero(mask)
        if remaining < len(tied):
            priority = np.asarray(ties.priorities(key, kept.shape)).ravel()[tied]
            tied = tied[np.argsort(priority, kind="stable")[len(tied) - remaining :]]
        mask[tied] = True
    return mask.reshape(kept.shape)


def emptied(mask: Mask) -> str | None:
    """Return the name of the first layer without any weight; None without one."""
    layers = zip(jax.tree.leaves(masks.layer_names(mask)), jax.tree.leaves(mask), strict=True)
    return next((name for name, layer in layers if not layer.any()), None)
