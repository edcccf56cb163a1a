"""Selection: which weights are pruned, given their scores. Exact counts, ties broken by index.

Masks and scores are pytrees of NumPy arrays, layers in the tree's order; `None` is a parameter
that is never pruned.
"""

from fractions import Fraction
from typing import Any

import jax
import numpy as np

from ltr import masks
from ltr.errors import LtrError


def fraction_of(rate: Fraction, count: int) -> int:
    """floor(rate x count), exactly."""
    return int(rate * count)


def layerwise(scores: Any, mask: Any, rates: Any) -> Any:
    """Prune floor(rate x survivors) weights of lowest score in each layer.

    Args:
        scores: float32 arrays.
        mask: boolean arrays of the same shapes; only survivors (True) are pruned.
        rates: a `Fraction` for each layer of the mask, None elsewhere.
    """

    def layer(kept: np.ndarray | None, score: np.ndarray, rate: Fraction) -> np.ndarray | None:
        if kept is None:
            return None
        survivors = int(np.count_nonzero(kept))
        return keep_highest(score, kept, survivors - fraction_of(rate, survivors))

    return masks.tree_map(layer, mask, scores, rates)


def globally(scores: Any, mask: Any, rates: Any) -> Any:
    """Prune floor(rate x survivors) weights of lowest score over all layers of nonzero rate together.

    Arguments as for `layerwise`; the nonzero rates are equal. Ties go by layer, then by index.
    """
    kept, shapes = jax.tree.flatten(mask)
    scored = jax.tree.leaves(masks.tree_map(lambda m, s: None if m is None else s, mask, scores))
    rate_of = jax.tree.leaves(rates)
    pooled = [number for number, rate in enumerate(rate_of) if rate]
    if pooled:
        pool = np.concatenate([kept[number].ravel() for number in pooled])
        survivors = int(np.count_nonzero(pool))
        keep = survivors - fraction_of(rate_of[pooled[0]], survivors)
        pool = keep_highest(np.concatenate([scored[number].ravel() for number in pooled]), pool, keep)
        ends = np.cumsum([kept[number].size for number in pooled])[:-1]
        for number, part in zip(pooled, np.split(pool, ends), strict=True):
            kept[number] = part.reshape(kept[number].shape)
    return jax.tree.unflatten(shapes, kept)


def to_counts(scores: Any, like: Any) -> Any:
    """Keep, of every weight, the highest scores: in each layer as many as the mask `like` keeps."""

    def layer(kept: np.ndarray | None, score: np.ndarray) -> np.ndarray | None:
        if kept is None:
            return None
        return keep_highest(score, np.ones_like(kept), int(np.count_nonzero(kept)))

    return masks.tree_map(layer, like, scores)


def keep_highest(score: np.ndarray, kept: np.ndarray, count: int) -> np.ndarray:
    """The mask of the `count` highest scores among the survivors; of equal scores the later index stays."""
    candidates = np.flatnonzero(kept)
    order = np.argsort(score.ravel()[candidates], kind="stable")
    mask = np.zeros(kept.size, bool)
    mask[candidates[order[len(order) - count :]]] = True
    return mask.reshape(kept.shape)


def require_alive(mask: Any) -> None:
    """LtrError naming the first layer in which nothing is left."""
    for path, layer in jax.tree.leaves_with_path(mask):
        if not layer.any():
            name = "/".join(str(entry.key) for entry in path[:-1])
            raise LtrError(
                f"pruning emptied layer {name} ({layer.size} weights): lower prune_rate or rounds, "
                "or use pruning=layerwise"
            )
