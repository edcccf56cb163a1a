"""Masks: pytrees like the parameters, with a boolean array for each prunable kernel and None elsewhere.

True means that a weight is kept. A packed kernel (see `ltr.engine.packing`) consists of kept weights only and
has no mask, so it has None too. `tree_map`, `where` and `apply` work on NumPy and JAX arrays, also under
`jax.jit`; the other functions are for the host.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from ltr.core.types import LayerTypes, Mask, Params


def tree_map(function: Callable[..., Any], mask: PyTree, *trees: PyTree) -> PyTree:
    """Apply `jax.tree.map` with the Nones of a mask as leaves."""
    return jax.tree.map(function, mask, *trees, is_leaf=lambda leaf: leaf is None)


def where(prunable: PyTree, tree: PyTree) -> PyTree:
    """Return the tree with None where `prunable`, a mask or layer types, is None."""
    return tree_map(lambda entry, leaf: None if entry is None else leaf, prunable, tree)


def layer_names(mask: PyTree) -> PyTree[str]:
    """Return a tree like the mask, with the name of its layer for each kernel."""
    return jax.tree.map_with_path(lambda path, _: "/".join(str(entry.key) for entry in path[:-1]), mask)


def ones(params: Params | PyTree[jax.ShapeDtypeStruct], layer_types: LayerTypes) -> Mask:
    """Return the dense network's mask, which keeps every weight of a kernel with a layer type.

    `params`: parameters, or their shapes.
    """
    return tree_map(lambda name, p: None if name is None else np.ones(p.shape, bool), layer_types, params)


def apply(mask: Mask, tree: Params) -> Params:
    """Return the tree (weights, gradients) with zeros where the mask is False; NumPy arrays stay NumPy."""
    return tree_map(_masked, mask, tree)


def _masked(mask: Any, x: Any) -> Any:
    if mask is None:
        return x
    return np.where(mask, x, 0) if isinstance(x, np.ndarray) else jnp.where(mask, x, 0)


def count(mask: Mask) -> int:
    """Return the number of kept weights."""
    return sum(int(np.count_nonzero(m)) for m in jax.tree.leaves(mask))


def density(mask: Mask) -> float:
    """Return kept prunable weights divided by all prunable weights, 0 to 1."""
    return count(mask) / sum(m.size for m in jax.tree.leaves(mask))
