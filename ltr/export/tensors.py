"""Nested parameters as named arrays, dense or with kernels in compressed sparse rows."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse


def named(tree: Any, suffix: str = "") -> dict[str, np.ndarray]:
    """Flatten nested dictionaries to arrays by path, as in `dense_1.kernel`, with a suffix."""
    return {f"{name}{suffix}": np.ascontiguousarray(leaf) for name, leaf in _leaves(tree)}


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for key, node in tree.items():
        if isinstance(node, Mapping):
            yield from _leaves(node, f"{path}{key}.")
        elif node is not None:
            yield f"{path}{key}", node


def as_sparse(tensors: Mapping[str, np.ndarray], kept: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Store each masked kernel in compressed sparse rows, one row for each output.

    A kernel [..., in, out] becomes four arrays:

    - `<name>.values`, float32 [kept];
    - `<name>.columns`, int32 [kept], positions in the flattened [..., in];
    - `<name>.rows`, int32 [out + 1], where the row of each output begins;
    - `<name>.shape`, int64, the kernel's shape.

    A kept weight that is zero is stored too. Tensors without a mask stay as they are.

    Args:
        tensors: tensors by name.
        kept: masks of the kernels to convert, by the same names.
    """
    arrays = {}
    for name, tensor in tensors.items():
        if name not in kept:
            arrays[name] = tensor
            continue
        by_output = kept[name].reshape(-1, tensor.shape[-1]).T
        rows = sparse.csr_array(by_output)
        arrays[f"{name}.values"] = tensor.reshape(-1, tensor.shape[-1]).T[by_output]
        arrays[f"{name}.columns"] = rows.indices.astype(np.int32)
        arrays[f"{name}.rows"] = rows.indptr.astype(np.int32)
        arrays[f"{name}.shape"] = np.array(tensor.shape, np.int64)
    return arrays
