"""Selection inside compiled programs: as `ltr.pruning.selection`, for arrays on a device.

How many are kept may be an array too, so nothing is sorted: the lowest kept score is found by
bisection over the 2^32 values that a float32 can have, each a comparison and a sum.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ltr import masks


def layerwise(scores: Any, mask: Any, counts: Any) -> Any:
    """Keep the `counts` highest scores of each layer's survivors; arguments as in `selection.layerwise`."""
    return masks.tree_map(
        lambda kept, score, count: None if kept is None else keep_highest(score, kept, count),
        mask,
        scores,
        counts,
    )


def globally(scores: Any, mask: Any, total: Any) -> Any:
    """Keep the `total` highest scores over all layers together; arguments as in `selection.globally`."""
    layers, structure = jax.tree.flatten(mask)
    scored = jax.tree.leaves(masks.where(mask, scores))
    score, survivors = (jnp.concatenate([layer.ravel() for layer in tree]) for tree in (scored, layers))
    ends = np.cumsum([layer.size for layer in layers])[:-1]
    parts = jnp.split(keep_highest(score, survivors, total), ends)
    shaped = [part.reshape(layer.shape) for part, layer in zip(parts, layers, strict=True)]
    return jax.tree.unflatten(structure, shaped)


def keep_highest(score: jax.Array, kept: jax.Array, count: Any) -> jax.Array:
    """The mask of the `count` highest scores among the survivors; of equal scores the later index stays.

    Args:
        score: float32, of any shape, not NaN.
        kept: bool of that shape.
        count: int32, at most the survivors.
    """
    rank = _ordered(score)

    def at_least(value: jax.Array) -> jax.Array:
        return kept & (rank >= value)

    def halve(_: Any, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        enough = at_least(middle).sum() >= count
        return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

    info = jnp.iinfo(jnp.int32)
    lowest, above = lax.fori_loop(0, 32, halve, (jnp.int32(info.min), jnp.int32(info.max)))
    higher, ties = at_least(above), kept & (rank == lowest)
    wanted = count - higher.sum()

    def latest() -> jax.Array:
        return ties & (jnp.cumsum(ties.ravel()[::-1])[::-1].reshape(ties.shape) <= wanted)

    return higher | lax.cond(ties.sum() == wanted, lambda: ties, latest)


def _ordered(score: jax.Array) -> jax.Array:
    """Int32 in the order of the scores; both zeros are one."""
    bits = lax.bitcast_convert_type(jnp.where(score == 0, 0.0, score), jnp.int32)
    return bits ^ ((bits >> 31) & jnp.int32(0x7FFFFFFF))
