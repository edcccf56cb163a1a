"""Nested parameters as named arrays, dense or with kernels in compressed sparse rows."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, PyTree
from scipy import sparse

from ltr.models.kernel_shape import KernelShape


def named(tree: PyTree[np.ndarray], suffix: str = "") -> dict[str, np.ndarray]:
    """Flatten nested dictionaries to arrays by path, as in `dense_1.kernel`, with a suffix."""
    return {f"{name}{suffix}": np.ascontiguousarray(leaf) for name, leaf in leaves(tree)}


def leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dictionaries that are not None, with the path to them."""
    for key, node in tree.items():
        if isinstance(node, Mapping):
            yield from leaves(node, f"{path}{key}.")
        elif node is not None:
            yield f"{path}{key}", node


def as_sparse(
    tensors: Mapping[str, np.ndarray],
    kept: Mapping[str, Bool[np.ndarray, "..."]],
    kernels: Mapping[str, KernelShape],
) -> dict[str, np.ndarray]:
    """Store each masked kernel in compressed sparse rows, one row for each output.

    A kernel [..., in, out] becomes four arrays:

    - `<name>.values`, float32 [kept];
    - `<name>.columns`, int32 [kept], positions in the flattened [..., in];
    - `<name>.rows`, int32 [out + 1], where the row of each output begins;
    - `<name>.shape`, int64, the kernel's shape.

    Where several dimensions are outputs, they are flattened too. A kept weight that is zero is stored too.
    Tensors without a mask stay as they are.

    Args:
        tensors: tensors by name.
        kept: masks of the kernels to convert, by the same names.
        kernels: roles of the dimensions of the kernels, by the same names; those of the whole network for a
            compact one too.

    Raises:
        LtrError: the outputs of a kernel are unknown.
    """
    arrays = {}
    for name, tensor in tensors.items():
        if name not in kept:
            arrays[name] = tensor
            continue
        by_output = kernels[name].by_output(kept[name])
        rows = sparse.csr_array(by_output)
        arrays[f"{name}.values"] = kernels[name].by_output(tensor)[by_output]
        arrays[f"{name}.columns"] = rows.indices.astype(np.int32)
        arrays[f"{name}.rows"] = rows.indptr.astype(np.int32)
        arrays[f"{name}.shape"] = np.array(tensor.shape, np.int64)
    return arrays
