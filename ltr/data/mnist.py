"""MNIST, and the data sets that share the names, format and sizes of its four IDX files."""

import math
import struct
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ltr.data.arrays import Arrays, Split
from ltr.data.distribution import Distribution, Files, Original

_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
_UNSIGNED_BYTES = b"\x00\x00\x08"
LARGEST_HEADER = 4 + 4 * 255
"""Size in bytes of the header of an array of the highest rank."""


def parse_idx(content: bytes) -> NDArray[np.uint8]:
    """Return the array of an IDX file of unsigned bytes, of any rank; ValueError for anything else.

    The format is two zero bytes, the type, the rank, a big-endian uint32 for each dimension, the values.
    """
    shape = _shape(content)
    values = content[4 + 4 * len(shape) :]
    if len(values) != math.prod(shape):
        raise ValueError(f"IDX file of shape {shape}: expected {math.prod(shape)} bytes, found {len(values)}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def idx_size(header: bytes) -> int:
    """Return the size in bytes that an IDX file of this header has; ValueError as for `parse_idx`."""
    shape = _shape(header)
    return 4 + 4 * len(shape) + math.prod(shape)


def _shape(content: bytes) -> tuple[int, ...]:
    """Return the shape in the header of an IDX file; ValueError if it is none of unsigned bytes."""
    try:
        kind, rank = struct.unpack_from("3sB", content)
        shape = struct.unpack_from(f">{rank}I", content, 4)
    except struct.error:
        raise ValueError("not an IDX file: its header is cut off") from None
    if kind != _UNSIGNED_BYTES:
        raise ValueError("not an IDX file of unsigned bytes")
    return shape


def from_idx(files: Iterable[bytes]) -> Arrays:
    """Return the arrays of four IDX files: training images and labels, test images and labels."""
    train_images, train_labels, test_images, test_labels = map(parse_idx, files)
    return Arrays(
        Split(train_images[..., np.newaxis], train_labels.astype(np.int32)),
        Split(test_images[..., np.newaxis], test_labels.astype(np.int32)),
    )


def like_mnist(*checksums: str) -> Files:
    """Return the files of a data set in MNIST's format, from their checksums in the order of `_NAMES`."""
    files = tuple(Original(name, checksum) for name, checksum in zip(_NAMES, checksums, strict=True))
    return Files((Distribution(files, _read),))


def _read(files: Mapping[str, bytes]) -> Arrays:
    return from_idx(files[name] for name in _NAMES)


MNIST = like_mnist(
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
FASHION_MNIST = like_mnist(
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)
