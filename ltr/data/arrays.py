"""The array cache: a prepared data set in one file that is read at the speed of the disk.

The file is a SHA-256 and then what it is of: the training and test labels (little-endian
int32), the training and test images (uint8).
"""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ltr.core import atomic
from ltr.data.entry import Arrays, Split
from ltr.data.registry import DatasetEntry

_HEADER = hashlib.sha256().digest_size


def cache_path(entry: DatasetEntry, root: Path) -> Path:
    """The cache lies beside the prepared data, and goes when that is removed."""
    return entry.folder(root) / "ltr_arrays.bin"


def fingerprint(arrays: Arrays) -> str:
    """SHA-256 of every label and every pixel in the order of the examples, hexadecimal."""
    digest = hashlib.sha256()
    for part in _parts(arrays):
        digest.update(part)
    return digest.hexdigest()


def read_cache(entry: DatasetEntry, root: Path) -> Arrays | None:
    """The cached arrays, read-only; None if they are absent, truncated or altered in any bit."""
    try:
        content = memoryview(cache_path(entry, root).read_bytes())
    except OSError:
        return None
    body = content[_HEADER:]
    sound = hashlib.sha256(body).digest() == content[:_HEADER] and len(body) == _body_size(entry)
    return _split(body, entry) if sound else None


def write_cache(entry: DatasetEntry, root: Path, arrays: Arrays) -> None:
    """Replaces the cache whole: a reader sees the old file or the new one. For one process at a time."""
    with atomic.replacing(cache_path(entry, root)) as file:
        file.write(bytes.fromhex(fingerprint(arrays)))
        file.writelines(_parts(arrays))


def _parts(arrays: Arrays) -> Iterator[memoryview]:
    """Labels first: images of an odd size before them would leave them unaligned."""
    for split in arrays:
        yield np.ascontiguousarray(split.labels, dtype="<i4").data
    for split in arrays:
        yield np.ascontiguousarray(split.images, dtype=np.uint8).data


def _body_size(entry: DatasetEntry) -> int:
    return (entry.train_examples + entry.test_examples) * (4 + math.prod(entry.shape))


def _split(body: memoryview, entry: DatasetEntry) -> Arrays:
    train, examples = entry.train_examples, entry.train_examples + entry.test_examples
    labels = np.frombuffer(body[: 4 * examples], "<i4")
    images = np.frombuffer(body[4 * examples :], np.uint8).reshape(examples, *entry.shape)
    return Arrays(Split(images[:train], labels[:train]), Split(images[train:], labels[train:]))
