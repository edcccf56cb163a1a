"""Size of a network in a file, and operations of a forward pass."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64

from ltr.export.tensors import as_sparse
from ltr.models.kernel_shape import KernelShape


class Sizes(NamedTuple):
    """Bytes of the float32 parameters, and floating-point operations of a forward pass of one image.

    Attributes:
        dense: bytes with all weights.
        compact: bytes without dead units; None if the network cannot be compacted.
        sparse: bytes with kernels in compressed sparse rows; None if the outputs of a kernel are unknown.
        operations: operations of the products with the kept weights; None if the uses of a layer are
            unknown.
        operations_dense: operations of the products with all weights; None likewise.
    """

    dense: int
    compact: int | None
    sparse: int | None
    operations: int | None
    operations_dense: int | None


def sizes(
    tensors: Mapping[str, Float32[np.ndarray, "..."]],
    kept: Mapping[str, Bool[np.ndarray, "..."]],
    uses: Mapping[str, Int64[np.ndarray, "..."]],
    kernels: Mapping[str, KernelShape],
    narrower: Mapping[str, Float32[np.ndarray, "..."]] | None,
) -> Sizes:
    """Compute the sizes of a network.

    Args:
        tensors: parameters by name.
        kept: masks of the kernels, by the same names.
        uses: number of products per image that each weight enters, by the same names, if known (see
            `ltr.models`).
        kernels: roles of the dimensions of the kernels, by the same names, if known.
        narrower: parameters of the same network without dead units, if it can be compacted.
    """
    is_known = set(kept) <= set(uses)
    return Sizes(
        _bytes(tensors),
        None if narrower is None else _bytes(narrower),
        _bytes(as_sparse(tensors, kept, kernels)) if all(kernels[name].roles for name in kept) else None,
        sum(2 * int((kept[name] * uses[name]).sum()) for name in kept) if is_known else None,
        sum(2 * int((np.ones_like(kept[name]) * uses[name]).sum()) for name in kept) if is_known else None,
    )


def _bytes(tensors: Mapping[str, np.ndarray]) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())
