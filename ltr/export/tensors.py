"""Nested parameters as named arrays, dense or with their kernels in compressed rows."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse

from ltr.models.kernel_shape import KernelShape


def named(tree: Any, suffix: str = "") -> dict[str, np.ndarray]:
    """The arrays of nested dictionaries by the path to them, as in `dense_1.kernel`, with a suffix."""
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
    kept: Mapping[str, np.ndarray],
    kernels: Mapping[str, KernelShape],
) -> dict[str, np.ndarray]:
    """The tensors with each kernel that a mask is of in compressed sparse rows, one for each output.

    A kernel [..., in, out] becomes `<name>.values`, float32 [kept], `<name>.columns`, int32 [kept], of
    the flattened [..., in], `<name>.rows`, int32 [out + 1], where each output's begin, and `<name>.shape`,
    int64. Where several dimensions are outputs, they are flattened too. A kept weight of zero is stored too.

    Args:
        tensors: by name.
        kept: the masks of those that are to be sparse, by the same names.
        kernels: which of their dimensions are outputs; of a compact network as of the whole one.

    Raises:
        LtrError: that is not known of a kernel.
    """
    found = {}
    for name, tensor in tensors.items():
        if name not in kept:
            found[name] = tensor
            continue
        by_output = kernels[name].by_output(kept[name])
        rows = sparse.csr_array(by_output)
        found[f"{name}.values"] = kernels[name].by_output(tensor)[by_output]
        found[f"{name}.columns"] = rows.indices.astype(np.int32)
        found[f"{name}.rows"] = rows.indptr.astype(np.int32)
        found[f"{name}.shape"] = np.array(tensor.shape, np.int64)
    return found
