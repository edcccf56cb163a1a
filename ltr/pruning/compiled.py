"""Selection inside compiled programs: `ltr.pruning.selection` for arrays on a device.

The number of weights to keep may be an array. So scores are not sorted: the lowest kept score is found first.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float32, Int32, Integer, PyTree

from ltr import kernels
from ltr.core import masks
from ltr.core.types import Mask, Params, PRNGKey
from ltr.kernels import Array
from ltr.pruning import ties


def layerwise(scores: Params, mask: Mask, counts: PyTree[Integer[Array, ""]], key: PRNGKey) -> Mask:
    """Keep the `counts` highest scores of each layer's survivors; arguments as for `selection.layerwise`."""
    return masks.tree_map(
        lambda kept, score, count, key: None if kept is None else keep_highest(score, kept, count, key),
        mask,
        scores,
        counts,
        ties.of_layers(key, mask),
    )


def globally(scores: Params, mask: Mask, total: Integer[Array, ""], key: PRNGKey) -> Mask:
    """Keep the `total` highest scores over all layers together; arguments as for `selection.globally`."""
    layers, structure = jax.tree.flatten(mask)
    scored = jax.tree.leaves(masks.where(mask, scores))
    score, survivors = (jnp.concatenate([layer.ravel() for layer in tree]) for tree in (scored, layers))
    ends = np.cumsum([layer.size for layer in layers])[:-1]
    parts = jnp.split(keep_highest(score, survivors, total, key), ends)
    shaped = [part.reshape(layer.shape) for part, layer in zip(parts, layers, strict=True)]
    return jax.tree.unflatten(structure, shaped)


def keep_highest(
    score: Float32[Array, "*kernel"],
    kept: Bool[Array, "*kernel"],
    count: Integer[Array, ""],
    key: PRNGKey,
) -> Bool[jax.Array, "*kernel"]:
    """Return the mask of the `count` highest scores among the survivors.

    Args:
        score: scores, not NaN.
        kept: mask of the survivors.
        count: at most the number of survivors.
        key: breaks ties (see `ltr.pruning.ties`).
    """
    higher, tied = _compare_with_lowest(_ordered(score), kept, count)
    remaining = count - higher.sum()

    def drawn() -> jax.Array:
        chosen, same = _compare_with_lowest(ties.priorities(key, kept.shape), tied, remaining)
        count_from_end = jnp.cumsum(same.ravel()[::-1])[::-1].reshape(same.shape)
        return chosen | (same & (count_from_end <= remaining - chosen.sum()))

    return higher | lax.cond(tied.sum() == remaining, lambda: tied, drawn)


def _compare_with_lowest(
    rank: Int32[jax.Array, "*kernel"], kept: Bool[Array, "*kernel"], count: Integer[Array, ""]
) -> tuple[Bool[jax.Array, "*kernel"], Bool[jax.Array, "*kernel"]]:
    """Return where the rank of a survivor is above the `count`-th highest, and where it is equal."""
    lowest = kernels.nth_highest(rank.ravel(), kept.ravel(), count)
    survives = jnp.asarray(kept)
    return survives & (rank > lowest), survives & (rank == lowest)


def _ordered(score: Float32[Array, "*kernel"]) -> Int32[jax.Array, "*kernel"]:
    """Map scores to integers of the same order; +0 and -0 are equal."""
    bits = lax.bitcast_convert_type(jnp.where(score == 0, 0.0, score), jnp.int32)
    return bits ^ ((bits >> 31) & jnp.int32(0x7FFFFFFF))
