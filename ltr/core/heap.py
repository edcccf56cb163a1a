"""The heap of the C library, from which XLA takes the memory of each chunk of a training."""

import ctypes
import sys

ARENA_MAX, MMAP_MAX, TRIM_THRESHOLD = -8, -4, -1
"""Parameters of glibc's `mallopt`."""

MOST = 2**31 - 1
"""Largest value of a parameter of `mallopt`, in bytes."""


def keep_freed_memory() -> None:
    """Keep memory that is freed for later allocations, if the C library is glibc.

    By default glibc returns large blocks to the system at once. Linux then clears each of their pages again
    when the next chunk touches it, which took a fifth of the time of ResNet-20. Call this before threads
    allocate memory.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        for parameter, value in ((ARENA_MAX, 1), (MMAP_MAX, 0), (TRIM_THRESHOLD, MOST)):
            library.mallopt(parameter, value)
