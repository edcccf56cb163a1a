"""Sparsity patterns of kernels in the format of the sparse products, and sparse kernels."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float32, Int32, Integer

Array = jax.Array | np.ndarray
"""Array on a device or on the host."""


class SparsityPattern(NamedTuple):
    """Kept weights (connections) of a kernel [in, out], by output and by input.

    Connections are ordered by output, then by input, as in a compressed sparse column matrix. Arrays of
    length `capacity` are padded with zeros, which take no part in products.

    Attributes:
        starts: [out + 1], index of the first connection of each output; the last entry is their number.
        inputs: input of each connection.
        by_input: [in + 1], index of the first connection of each input in the order by input.
        outputs: output of each connection in the order by input.
        places: for each connection in the order by input, its index in the order by output.
    """

    starts: Int32[Array, "_"]
    inputs: Int32[Array, "capacity"]
    by_input: Int32[Array, "_"]
    outputs: Int32[Array, "capacity"]
    places: Int32[Array, "capacity"]


class SparseKernel(NamedTuple):
    """A sparse kernel: values of its connections, and their pattern."""

    values: Float32[Array, "capacity"]
    pattern: SparsityPattern


def pattern(kept: Bool[np.ndarray, "in out"], capacity: int) -> SparsityPattern:
    """Return the pattern of a mask; ValueError if it keeps more than `capacity`."""
    count = int(np.count_nonzero(kept))
    if count > capacity:
        raise ValueError(f"{count} connections exceed the capacity of {capacity}")
    _, inputs = np.nonzero(kept.T)
    _, outputs = np.nonzero(kept)
    places = np.argsort(inputs, kind="stable")  # by input, then by output

    def starts(counts: Integer[np.ndarray, "n"]) -> Int32[np.ndarray, "n+1"]:
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def padded(indices: Integer[np.ndarray, "count"]) -> Int32[np.ndarray, "capacity"]:
        return np.pad(indices, (0, capacity - count)).astype(np.int32)

    return SparsityPattern(
        starts(kept.sum(0)), padded(inputs), starts(kept.sum(1)), padded(outputs), padded(places)
    )
