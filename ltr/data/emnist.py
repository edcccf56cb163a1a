"""Balanced split of EMNIST: digits and letters; letters whose cases look alike are one class.

The images are transposed, as in the original files and in TFDS.
"""

import gzip
import io
import zipfile
from collections.abc import Mapping

from ltr.data.arrays import Arrays
from ltr.data.distribution import Distribution, Files, Original
from ltr.data.mnist import from_idx

_ARCHIVE = "gzip.zip"
_MEMBERS = ("train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1")


def _read(files: Mapping[str, bytes]) -> Arrays:
    with zipfile.ZipFile(io.BytesIO(files[_ARCHIVE])) as archive:
        paths = (f"gzip/emnist-balanced-{member}-ubyte.gz" for member in _MEMBERS)
        return from_idx(gzip.decompress(archive.read(path)) for path in paths)


EMNIST = Files(
    distributions=(
        Distribution(
            (Original(_ARCHIVE, "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"),), _read
        ),
    ),
)
