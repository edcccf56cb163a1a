"""Ties: random choice among weights of equal score, the same on the host and on a device.

An index means a pixel, a unit or a tap of a kernel. Some scores tie in large numbers, for example those of
weights of the wrong sign or of dead units. Keeping them by index would keep whole inputs and drop others.
Zhou et al. (2019) break ties at random too.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Int32, PyTree

from ltr.core.types import Mask, PRNGKey


@partial(jax.jit, static_argnames="shape", inline=True)
def priorities(key: PRNGKey, shape: tuple[int, ...]) -> Int32[jax.Array, "*kernel"]:
    """Draw priorities of 30 random bits; of equal scores those of highest priority are kept.

    If priorities are equal too, the weight of the higher index is kept.
    """
    return jnp.int32(jax.random.bits(key, shape, jnp.uint32) >> 2)


def of_layers(key: PRNGKey, mask: Mask) -> PyTree[PRNGKey]:
    """Return a key for each layer of a mask, in a tree like it."""
    layers, structure = jax.tree.flatten(mask)
    return jax.tree.unflatten(structure, [jax.random.fold_in(key, index) for index in range(len(layers))])
