"""Randomness: one root key per replicate; every use folds in its named purpose and indices."""

import zlib

import jax
import jax.numpy as jnp

from ltr import kernels


def root(seed: int, replicate: int) -> jax.Array:
    """The key from which everything random in a replicate comes."""
    return jax.random.fold_in(jax.random.key(seed), replicate)


def fold(key: jax.Array, purpose: str, *indices: int | jax.Array) -> jax.Array:
    """The key of a purpose (`"init"`, `"data order"`, ...) and its indices: adding a use changes no other."""
    key = jax.random.fold_in(key, zlib.crc32(purpose.encode()))
    for index in indices:
        key = jax.random.fold_in(key, index)
    return key


def permutation(key: jax.Array, count: int) -> jax.Array:
    """The integers below `count` in random order, int32; on the CPU many times as fast as `jax.random`'s.

    Words of random bits above the place of an item are sorted, which is done much faster than pairs of
    key and item are; again and again, as a radix sort goes from digit to digit, until each item was sorted
    by 32 random bits or more.
    """
    places = max(1, (count - 1).bit_length())
    order = jnp.arange(count, dtype=jnp.int32)
    for bits in jax.random.bits(key, (-(-32 // (32 - places)), count)):
        words = kernels.sort(bits << places | jnp.arange(count, dtype=jnp.uint32))
        order = order[words & (1 << places) - 1]
    return order
