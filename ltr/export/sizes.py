"""What a network weighs in a file, and what it costs to use."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ltr.export.tensors import as_sparse
from ltr.models.kernel_shape import KernelShape


class Sizes(NamedTuple):
    """Bytes of the parameters in float32, and operations of a forward pass of one image.

    Attributes:
        dense: with all weights.
        compact: without dead units; None where that is not known how to do.
        sparse: with kernels in compressed rows; None where it is not known which dimensions are outputs.
        operations, operations_dense: floating-point operations of the products with the weights that are
            kept, and with all; None if it is not known of a layer how often it is used.
    """

    dense: int
    compact: int | None
    sparse: int | None
    operations: int | None
    operations_dense: int | None


def sizes(
    tensors: Mapping[str, np.ndarray],
    kept: Mapping[str, np.ndarray],
    uses: Mapping[str, np.ndarray],
    kernels: Mapping[str, KernelShape],
    narrower: Mapping[str, np.ndarray] | None,
) -> Sizes:
    """What a network weighs.

    Args:
        tensors: its parameters, by name.
        kept: the masks of its kernels, by the same names.
        uses: of how many products of an image their weights are factors, where known (see `ltr.models`).
        kernels: which of their dimensions are outputs, where known.
        narrower: the parameters of the same network without dead units, if there is one.
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
