"""What ltr knows of a data set before any of it is on disk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Split(NamedTuple):
    """Examples in a fixed order."""

    images: NDArray[np.uint8]
    """[N, height, width, channels]"""
    labels: NDArray[np.int32]
    """[N]"""


class Arrays(NamedTuple):
    """A data set as its authors split it."""

    train: Split
    test: Split


class Original(NamedTuple):
    """A file that the authors of a data set distribute; on disk it may be gzipped."""

    name: str
    """without .gz"""
    sha256: str
    """of the unzipped bytes, so that it does not matter who zipped them"""


@dataclass(frozen=True)
class Entry:
    """A data set of the registry."""

    name: str
    """in TFDS, too, where TFDS has it"""
    version: str
    """of the TFDS builder"""
    description: str
    shape: tuple[int, int, int]
    """of an image: height, width, channels"""
    classes: int
    train_examples: int
    """before the validation examples are split off"""
    test_examples: int
    originals: tuple[Original, ...]
    """the files that it is made of"""
    read: Callable[[Mapping[str, bytes]], Arrays]
    """unzipped originals by name, already verified, to arrays"""
    sha256: str
    """`arrays.fingerprint` of the prepared arrays, hexadecimal"""

    @property
    def stock(self) -> bool:
        """Whether TFDS has a builder of this name; if not, the data comes with a package."""
        return bool(self.originals)

    def folder(self, root: Path) -> Path:
        """Where TFDS keeps it below a data folder; it appears there only when it is complete."""
        return root / self.name / self.version
