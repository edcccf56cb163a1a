"""Sparsity patterns of kernels in the format of the sparse products, and sparse kernels."""

from typing import Any, NamedTuple

import jax
import numpy as np

Array = jax.Array | np.ndarray


class SparsityPattern(NamedTuple):
    """Kept weights (connections) of a kernel [in, out], by output and by input; int32 arrays.

    Connections are ordered by output, then by input, as in a compressed sparse column matrix. Arrays of
    length `capacity` are padded with zeros, which take no part in products.

    Attributes:
        starts: [out + 1], index of the first connection of each output; the last entry is their number.
        inputs: [capacity], input of each connection.
        by_input: [in + 1], index of the first connection of each input in the order by input.
        outputs: [capacity], output of each connection in the order by input.
        places: [capacity], for each connection in the order by input, its index in the order by output.
    """

    starts: Array
    inputs: Array
    by_input: Array
    outputs: Array
    places: Array


class SparseKernel(NamedTuple):
    """A sparse kernel: float32 values [capacity] of its connections, and their pattern."""

    values: Any
    pattern: SparsityPattern


def pattern(kept: np.ndarray, capacity: int) -> SparsityPattern:
    """Return the pattern of a mask, boolean [in, out]; ValueError if it keeps more than `capacity`."""
    count = int(np.count_nonzero(kept))
    if count > capacity:
        raise ValueError(f"{count} connections exceed the capacity of {capacity}")
    _, inputs = np.nonzero(kept.T)
    _, outputs = np.nonzero(kept)
    places = np.argsort(inputs, kind="stable")  # by input, then by output

    def starts(counts: np.ndarray) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def padded(indices: np.ndarray) -> np.ndarray:
        return np.pad(indices, (0, capacity - count)).astype(np.int32)

    return SparsityPattern(
        starts(kept.sum(0)), padded(inputs), starts(kept.sum(1)), padded(outputs), padded(places)
    )
