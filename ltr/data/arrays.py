"""Arrays of a data set, and their fingerprint."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, UInt8
from numpy.typing import NDArray


class Split(NamedTuple):
    """Examples in a fixed order."""

    images: UInt8[np.ndarray, "count height width channels"]
    labels: Int32[np.ndarray, "count"]

    def take(self, rows: slice | NDArray[np.intp]) -> "Split":
        """Return the examples at `rows`."""
        return Split(self.images[rows], self.labels[rows])


class Arrays(NamedTuple):
    """A data set as its authors split it."""

    train: Split
    test: Split


def share_of_zeros(images: UInt8[np.ndarray, "count height width channels"]) -> float:
    """Return the share of zeros among the values of all pixels, 0 to 1."""
    return 1 - np.count_nonzero(images) / images.size


def fingerprint(arrays: Arrays) -> str:
    """Return the hexadecimal SHA-256 of all labels and pixels, in the order of the examples."""
    digest = hashlib.sha256()
    for part in parts(arrays):
        digest.update(part)
    return digest.hexdigest()


def parts(arrays: Arrays) -> Iterator[memoryview]:
    """Yield the bytes of the labels of each split, then of the images.

    Labels come first, because after images of odd size they would be unaligned.
    """
    for split in arrays:
        yield np.ascontiguousarray(split.labels, dtype="<i4").data
    for split in arrays:
        yield np.ascontiguousarray(split.images, dtype=np.uint8).data
