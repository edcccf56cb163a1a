"""What ltr knows of a data set before any of it is on disk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
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


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a run has to know of its data before they are read."""

    name: str
    shape: tuple[int, int, int]
    """of an image: height, width, channels"""
    classes: int
    train_examples: int
    """before the validation examples are split off"""
    test_examples: int


def no_more(split: str, index: int, label: int) -> dict[str, Any]:
    """TFDS keeps an image and a label of each example, no more."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Entry(Facts):
    """A data set of the registry."""

    title: str
    """as papers write it"""
    version: str
    """of the TFDS builder"""
    description: str
    distributions: tuple[Distribution, ...]
    """the first is fetched where there is none on this machine"""
    stock: bool = True
    """whether TFDS has a builder of this name"""
    config: str = ""
    """of that builder, where it has several"""
    features: Callable[[str, int, int], dict[str, Any]] = no_more
    """split, index and label of an example -> what else that builder keeps of it"""
    sha256: str | None = None
    """`arrays.fingerprint` of the prepared arrays, hexadecimal; None if nobody here has seen them yet"""

    def folder(self, root: Path) -> Path:
        """Where TFDS keeps it below a data folder; it appears there only when it is complete."""
        return root / self.name / self.config / self.version
