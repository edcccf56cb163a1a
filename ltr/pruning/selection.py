"""Selection: which weights are kept, given their scores. Exact counts, ties broken by index.

Masks and scores are pytrees of NumPy arrays, layers in the tree's order; `None` is a parameter
that is never pruned.
"""

from typing import Any

import jax
import numpy as np

from ltr import masks
from ltr.errors import LtrError


def layerwise(scores: Any, mask: Any, counts: Any) -> Any:
    """Keep the weights of highest score in each layer.

    Args:
        scores: float arrays.
        mask: boolean arrays of the same shapes; only survivors (True) are kept.
        counts: how many each layer keeps, at most its survivors; None elsewhere.
    """

    def layer(kept: np.ndarray | None, score: np.ndarray, count: int) -> np.ndarray | None:
        return None if kept is None else keep_highest(score, kept, count)

    return masks.tree_map(layer, mask, scores, counts)


def globally(scores: Any, mask: Any, total: int) -> Any:
    """Keep the `total` weights of highest score over all layers together.

    Arguments as for `layerwise`. Ties go by layer, then by index.
    """
    kept, structure = jax.tree.flatten(mask)
    scored = jax.tree.leaves(masks.where(mask, scores))
    score, survivors = (np.concatenate([layer.ravel() for layer in tree]) for tree in (scored, kept))
    ends = np.cumsum([layer.size for layer in kept])[:-1]
    parts = np.split(keep_highest(score, survivors, total), ends)
    shaped = [part.reshape(layer.shape) for part, layer in zip(parts, kept, strict=True)]
    return jax.tree.unflatten(structure, shaped)


def to_counts(scores: Any, like: Any) -> Any:
    """Keep, of every weight, the highest scores: in each layer as many as the mask `like` keeps."""
    return layerwise(scores, jax.tree.map(np.ones_like, like), jax.tree.map(np.count_nonzero, like))


def keep_highest(score: np.ndarray, kept: np.ndarray, count: int) -> np.ndarray:
    """The mask of the `count` highest scores among the survivors; of equal scores the later index stays."""
    mask = np.zeros(kept.size, bool)
    if count:
        survivors = np.flatnonzero(kept)
        values = score.ravel()[survivors]
        lowest = np.partition(values, len(values) - count)[len(values) - count]
        ties = survivors[values == lowest]
        mask[survivors[values > lowest]] = True
        mask[ties[len(ties) - (count - np.count_nonzero(mask)) :]] = True
    return mask.reshape(kept.shape)


def require_alive(mask: Any) -> None:
    """LtrError naming the first layer in which nothing is left."""
    names = jax.tree.leaves(masks.layer_names(mask))
    for name, layer in zip(names, jax.tree.leaves(mask), strict=True):
        if not layer.any():
            raise LtrError(
                f"pruning emptied layer {name} ({layer.size} weights): lower prune_rate or rounds, "
                "or use pruning=layerwise"
            )
