"""Nested parameters as named arrays, dense or with their kernels in compressed rows."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse


def named(tree: Any, suffix: str = "") -> dict[str, np.ndarray]:
    """The arrays of nested dictionaries by the path to them, as in `dense_1.kernel`, with a suffix."""
    return {f"{name}{suffix}": np.ascontiguousarray(leaf) for name, leaf in _leaves(tree)}


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for key, node in tree.items():
        if isinstance(node, Mapping):
            yield from _leaves(node, f"{path}{key}.")
        elif node is not None:
            yield f"{path}{key}", node


def as_sparse(tensors: Mapping[str, np.ndarray], kept: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors with each kernel that a mask is of in compressed sparse rows, one for each output.

    A kernel [..., in, out] becomes `<name>.values`, float32 [kept], `<name>.columns`, int32 [kept], of
    the flattened [..., in], `<name>.rows`, int32 [out + 1], where each output's begin, and `<name>.shape`,
    int64. A kept weight of zero is stored too.

    Args:
        tensors: by name.
        kept: the masks of those that are to be sparse, by the same names.
    """
    found = {}
    for name, tensor in tensors.items():
        if name not in kept:
            found[name] = tensor
            continue
        by_output = kept[name].reshape(-1, tensor.shape[-1]).T
        rows = sparse.csr_array(by_output)
        found[f"{name}.values"] = tensor.reshape(-1, tensor.shape[-1]).T[by_output]
        found[f"{name}.columns"] = rows.indices.astype(np.int32)
        found[f"{name}.rows"] = rows.indptr.astype(np.int32)
        found[f"{name}.shape"] = np.array(tensor.shape, np.int64)
    return found
