"""Masks: pytrees like the parameters, a boolean array where a kernel is prunable, None elsewhere.

True is a kept weight. In a packed lane (see `ltr.engine.packing`) a kernel has only its kept weights, and a
`SparsityPattern` in place of its mask. `tree_map`, `where`, `apply`, `bound` and `is_packed` work on NumPy
and on JAX arrays, under `jax.jit` too; the others are for the host.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltr.kernels import SparseKernel, SparsityPattern

Mask = Any
Params = Any


def tree_map(function: Callable[..., Any], mask: Mask, *trees: Any) -> Any:
    """`jax.tree.map` over the leaves of a mask, its Nones and patterns included."""
    return jax.tree.map(function, mask, *trees, is_leaf=lambda leaf: leaf is None or _is_packed(leaf))


def where(prunable: Any, tree: Any) -> Any:
    """The tree where `prunable`, a mask or kinds, is not None, and None elsewhere."""
    return tree_map(lambda kind, leaf: None if kind is None else leaf, prunable, tree)


def layer_names(mask: Mask) -> Any:
    """The name of the layer in place of each mask."""
    return jax.tree.map_with_path(lambda path, _: "/".join(str(entry.key) for entry in path[:-1]), mask)


def ones(params: Params, layer_types: Any) -> Mask:
    """The dense network's mask: every weight of a layer with a kind (see `Model.layer_types`) is kept."""
    return tree_map(lambda kind, p: None if kind is None else np.ones(p.shape, bool), layer_types, params)


def apply(mask: Mask, tree: Params) -> Params:
    """The tree (weights, gradients) with exact zeros where the mask is False; NumPy stays NumPy."""
    return tree_map(_masked, mask, tree)


def _masked(mask: Any, x: Any) -> Any:
    if mask is None or _is_packed(mask):
        return x
    return np.where(mask, x, 0) if isinstance(x, np.ndarray) else jnp.where(mask, x, 0)


def bound(mask: Mask, params: Params) -> Params:
    """The parameters as a network takes them: packed weights beside their pattern, others as they are."""
    return tree_map(lambda kept, p: SparseKernel(p, kept) if _is_packed(kept) else p, mask, params)


def is_packed(mask: Mask) -> bool:
    """Whether a kernel is packed in what is given: of a mask, or of parameters that are bound to one."""
    return any(map(_is_packed, jax.tree.leaves(mask, is_leaf=_is_packed)))


def _is_packed(leaf: Any) -> bool:
    return isinstance(leaf, SparsityPattern)


def count(mask: Mask) -> int:
    """Kept weights."""
    return sum(int(np.count_nonzero(m)) for m in jax.tree.leaves(mask))


def density(mask: Mask) -> float:
    """Kept prunable weights over all prunable weights, 0 to 1."""
    return count(mask) / sum(m.size for m in jax.tree.leaves(mask))
