"""Ties: which of several weights of equal score are kept. Drawn by a key, on the host and on a device alike.

An index has a meaning: it names a pixel, a unit or a place of a kernel. Where scores tie in masses (weights
of the wrong sign, gradients of dead units), keeping by index would keep whole inputs and drop others.
Zhou et al. (2019), too, break ties at random.
"""

from typing import Any

import jax
import jax.numpy as jnp


def priorities(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draw int32 of 30 random bits: of equal scores those of highest priority are kept.

    If two of these are equal too, the later weight is kept.
    """
    return jnp.int32(jax.random.bits(key, shape, jnp.uint32) >> 2)


def of_layers(key: jax.Array, mask: Any) -> Any:
    """Return a key for each layer of a mask, in a tree like it."""
    layers, structure = jax.tree.flatten(mask)
    return jax.tree.unflatten(structure, [jax.random.fold_in(key, place) for place in range(len(layers))])
