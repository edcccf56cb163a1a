"""Array cache: a prepared data set in one file, read at the speed of the disk.

The file holds a SHA-256 digest and then the bytes that were hashed: training labels, test labels
(little-endian int32), training images, test images (uint8).
"""

import hashlib
import math
from pathlib import Path

import numpy as np

from ltr.core import atomic
from ltr.data.arrays import Arrays, Split, fingerprint, parts
from ltr.data.registry import DatasetEntry

_HEADER = hashlib.sha256().digest_size


def cache_path(entry: DatasetEntry, root: Path) -> Path:
    """Return the path of the cache, which is in the folder of the prepared data and is removed with it."""
    return entry.folder(root) / "ltr_arrays.bin"


def read_cache(entry: DatasetEntry, root: Path) -> Arrays | None:
    """Return the cached arrays, read-only; None if the cache is missing, truncated or altered."""
    try:
        content = memoryview(cache_path(entry, root).read_bytes())
    except OSError:
        return None
    body = content[_HEADER:]
    is_intact = hashlib.sha256(body).digest() == content[:_HEADER] and len(body) == _body_size(entry)
    return _split(body, entry) if is_intact else None


def write_cache(entry: DatasetEntry, root: Path, arrays: Arrays) -> None:
    """Write the cache atomically. Only one process may write it at a time."""
    with atomic.replacing(cache_path(entry, root)) as file:
        file.write(bytes.fromhex(fingerprint(arrays)))
        file.writelines(parts(arrays))


def _body_size(entry: DatasetEntry) -> int:
    return (entry.train_examples + entry.test_examples) * (4 + math.prod(entry.shape))


def _split(body: memoryview, entry: DatasetEntry) -> Arrays:
    train, examples = entry.train_examples, entry.train_examples + entry.test_examples
    labels = np.frombuffer(body[: 4 * examples], "<i4")
    images = np.frombuffer(body[4 * examples :], np.uint8).reshape(examples, *entry.shape)
    return Arrays(Split(images[:train], labels[:train]), Split(images[train:], labels[train:]))
