"""Distributed forms of data sets, and the arrays that are read from them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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


class Original(NamedTuple):
    """A file that the authors of a data set distribute."""

    name: str
    checksum: str
    """hexadecimal SHA-256 or MD5 of the file, or of its decompressed content"""


class Distribution(NamedTuple):
    """A form in which a data set is distributed."""

    files: tuple[Original, ...]
    read: Callable[[Mapping[str, bytes]], Arrays]
    """maps file contents by name, verified and decompressed, to arrays"""


def no_more(split: str, index: int, label: int) -> dict[str, Any]:
    """Return no features beyond image and label."""
    return {}


class Files(NamedTuple):
    """Distributed forms of a data set, and its further TFDS features."""

    distributions: tuple[Distribution, ...]
    """the first is downloaded if none is on this machine"""
    features: Callable[[str, int, int], dict[str, Any]] = no_more
    """maps split, index and label of an example to its TFDS features beyond image and label"""
