"""Arrays that begin at a cache line: XLA's CPU devices use them where they are, others they copy."""

import math

import numpy as np
from jaxtyping import Shaped
from numpy.typing import DTypeLike

ALIGNMENT = 64
"""Bytes of a cache line, at whose multiples a buffer of XLA begins."""


def empty(shape: tuple[int, ...], dtype: DTypeLike, before: int = 0) -> Shaped[np.ndarray, "..."]:
    """Return an array without content, of which the byte after the first `before` begins a cache line."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -(memory.ctypes.data + before) % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def aligned(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """Return the array if it is in one piece and begins at a cache line, else a copy that does."""
    if array.flags.c_contiguous and array.ctypes.data % ALIGNMENT == 0:
        return array
    copy = empty(array.shape, array.dtype)
    copy[...] = array
    return copy
