"""Comparison of the arrays of two pytrees by name, type and shape."""

import jax
import numpy as np
from jaxtyping import PyTree


def difference(saved: PyTree, wanted: PyTree) -> str:
    """Return a phrase about the first array that is not alike in two pytrees; empty if all are.

    Args:
        saved: pytree of arrays, such as one of a checkpoint.
        wanted: pytree of arrays or of `jax.ShapeDtypeStruct`.
    """
    there, here = _described(saved), _described(wanted)
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            return f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
    return ""


def _described(tree: PyTree) -> dict[str, str]:
    """Return the type and shape of each array, as in `float32[3, 4]`, by its dotted name."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): f"{np.dtype(leaf.dtype)}{[*leaf.shape]}"
        for path, leaf in jax.tree.leaves_with_path(tree)
    }
