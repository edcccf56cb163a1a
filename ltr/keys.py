"""Randomness: one root key per replicate; every use folds in its named purpose and indices."""

import zlib

import jax


def root(seed: int, replicate: int) -> jax.Array:
    """The key from which everything random in a replicate comes."""
    return jax.random.fold_in(jax.random.key(seed), replicate)


def fold(key: jax.Array, purpose: str, *indices: int | jax.Array) -> jax.Array:
    """The key of a purpose (`"init"`, `"data order"`, ...) and its indices: adding a use changes no other."""
    key = jax.random.fold_in(key, zlib.crc32(purpose.encode()))
    for index in indices:
        key = jax.random.fold_in(key, index)
    return key
