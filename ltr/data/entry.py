"""Forms in which data sets are distributed, and arrays of what is read from them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Split(NamedTuple):
    """Examples in a fixed order."""

    images: NDArray[np.uint8]
    """[N, height, width, channels]"""
    labels: NDArray[np.int32]
    """[N]"""

    def take(self, rows: slice | NDArray[np.intp]) -> "Split":
        """Some of the examples."""
        return Split(self.images[rows], self.labels[rows])


class Arrays(NamedTuple):
    """A data set as its authors split it."""

    train: Split
    test: Split


class Original(NamedTuple):
    """A file that the authors of a data set distribute."""

    name: str
    checksum: str
    """SHA-256 or MD5, hexadecimal, of the file or of what is in it once it is decompressed"""


class Distribution(NamedTuple):
    """A form in which a data set is distributed."""

    files: tuple[Original, ...]
    read: Callable[[Mapping[str, bytes]], Arrays]
    """files by name, already verified and decompressed, to arrays"""


def no_more(split: str, index: int, label: int) -> dict[str, Any]:
    """TFDS keeps an image and a label of each example, no more."""
    return {}


class Files(NamedTuple):
    """How a data set is distributed, and what TFDS keeps of it."""

    distributions: tuple[Distribution, ...]
    """the first is fetched where there is none on this machine"""
    features: Callable[[str, int, int], dict[str, Any]] = no_more
    """split, index and label of an example -> what else the builder of TFDS keeps of it"""
