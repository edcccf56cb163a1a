"""Selection: the lowest of the highest numbers, whose count may be an array."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Int32, Integer

from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import Array


def nth_highest(
    ranks: Int32[Array, "size"], kept: Bool[Array, "size"], count: Integer[Array, ""]
) -> Int32[jax.Array, ""]:
    """Return the `count`-th highest of the ranks where `kept` is True.

    On the CPU two passes over the ranks find it. On an accelerator, or without the library, it is found by
    bisection over the 2^32 values of a rank, in 32 steps of a comparison and a sum.

    Args:
        ranks: numbers, less than the greatest integer.
        kept: which of them count.
        count: at most as many; if it is 0, the result is higher than all ranks.
    """
    operands = jnp.asarray(ranks), jnp.asarray(kept), jnp.asarray(count, jnp.int32)
    if instruction_set() is None:
        return _bisected(*operands)
    return lax.platform_dependent(*operands, cpu=_selected, default=_bisected)


def _selected(ranks: jax.Array, kept: jax.Array, count: jax.Array) -> jax.Array:
    shape = jax.ShapeDtypeStruct((), jnp.int32)
    return jax.ffi.ffi_call("ltr_nth_highest", shape, vmap_method="sequential")(ranks, kept, count)


def _bisected(ranks: jax.Array, kept: jax.Array, count: jax.Array) -> jax.Array:
    def halve(_: Any, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        enough = (kept & (ranks >= middle)).sum() >= count
        return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

    info = jnp.iinfo(jnp.int32)
    lowest, _ = lax.fori_loop(0, 32, halve, (jnp.int32(info.min), jnp.int32(info.max)))
    return lowest
