"""Types of keys and pytrees, with the dtypes and shapes of their arrays.

An `Array` is on a device or on the host, a `jax.Array` on a device or traced, an `np.ndarray` on the host.
None in a pytree stands for a parameter that is never pruned.
"""

from typing import TypeAlias

import jax
from jaxtyping import Bool, Float, Float32, Key, PyTree, UInt32

from ltr.kernels import Array

PRNGKey = Key[jax.Array, ""]
"""Random key."""

KeyData = UInt32[Array, "2"]
"""Data of a random key, which checkpoints can hold."""

Params: TypeAlias = PyTree[Float32[Array, "..."]]
"""Parameters of a network, or gradients: an array for each weight matrix, bias, scale, ..."""

Mask: TypeAlias = PyTree[Bool[Array, "..."]]
"""Mask (see `ltr.core.masks`)."""

Scores: TypeAlias = PyTree[Float[Array, "..."]]
"""Scores of weights, like a mask."""

Logits = Float32[jax.Array, "batch classes"]
"""Outputs of a network."""

LayerTypes: TypeAlias = PyTree[str]
"""Layer types, like a mask (see `ltr.models.model.Model`)."""
