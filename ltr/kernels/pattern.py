"""Which weights of a kernel exist, as the sparse products read it, and the weights beside it."""

from typing import Any, NamedTuple

import jax
import numpy as np

Array = jax.Array | np.ndarray


class SparsityPattern(NamedTuple):
    """The connections of a kernel [in, out], by output and by input; int32 arrays.

    Weights are kept in the order of their outputs, and in that of their inputs for each. Arrays of
    `capacity` may be longer than there are connections: what is beyond is zero, and takes no part.

    Attributes:
        starts: [out + 1], where each output's connections start; the last is how many there are.
        inputs: [capacity], of each connection.
        by_input: [in + 1], where each input's connections start, in the order of inputs.
        outputs: [capacity], of each connection, in that order.
        places: [capacity], which connection each of them is in the order of outputs.
    """

    starts: Array
    inputs: Array
    by_input: Array
    outputs: Array
    places: Array


class SparseKernel(NamedTuple):
    """A sparse kernel: the float32 values [capacity] of its connections, and which those are."""

    values: Any
    pattern: SparsityPattern


def pattern(kept: np.ndarray, capacity: int) -> SparsityPattern:
    """The pattern of a mask, boolean [in, out]; ValueError if it keeps more than `capacity` weights."""
    count = int(np.count_nonzero(kept))
    if count > capacity:
        raise ValueError(f"{count} connections in room for {capacity}")
    _, inputs = np.nonzero(kept.T)
    _, outputs = np.nonzero(kept)
    places = np.argsort(inputs, kind="stable")  # by input, and by output for each

    def starts(counts: np.ndarray) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def padded(indices: np.ndarray) -> np.ndarray:
        return np.pad(indices, (0, capacity - count)).astype(np.int32)

    return SparsityPattern(
        starts(kept.sum(0)), padded(inputs), starts(kept.sum(1)), padded(outputs), padded(places)
    )
