"""Array cache: a prepared data set in one file, read at the speed of the disk.

The file holds a SHA-256 digest and then the bytes that were hashed: training labels, test labels
(little-endian int32), training images, test images (uint8).
"""

import hashlib
import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ltr.core import aligned, atomic
from ltr.data.arrays import Arrays, Split, fingerprint, parts
from ltr.data.registry import DatasetEntry

_HEADER = hashlib.sha256().digest_size


def cache_path(entry: DatasetEntry, root: Path) -> Path:
    """Return the path of the cache, which is in the folder of the prepared data and is removed with it."""
    return entry.folder(root) / "ltr_arrays.bin"


def read_cache(entry: DatasetEntry, root: Path) -> Arrays | None:
    """Return the cached arrays, read-only; None if the cache is missing, truncated or altered.

    The images begin at a cache line.
    """
    path = cache_path(entry, root)
    body = aligned.empty((_body_size(entry),), np.uint8, before=_labels_size(entry))
    try:
        with path.open("rb") as file:
            digest, size = file.read(_HEADER), file.readinto(body)
            is_longer = bool(file.read(1))
    except OSError:
        return None
    is_intact = size == len(body) and not is_longer and hashlib.sha256(body).digest() == digest
    body.flags.writeable = False
    return _split(body, entry) if is_intact else None


def write_cache(entry: DatasetEntry, root: Path, arrays: Arrays) -> None:
    """Write the cache atomically. Only one process may write it at a time."""
    with atomic.replacing(cache_path(entry, root)) as file:
        file.write(bytes.fromhex(fingerprint(arrays)))
        file.writelines(parts(arrays))


def _labels_size(entry: DatasetEntry) -> int:
    return 4 * (entry.train_examples + entry.test_examples)


def _body_size(entry: DatasetEntry) -> int:
    return _labels_size(entry) + (entry.train_examples + entry.test_examples) * math.prod(entry.shape)


def _split(body: UInt8[np.ndarray, "bytes"], entry: DatasetEntry) -> Arrays:
    train, of_labels = entry.train_examples, _labels_size(entry)
    labels = body[:of_labels].view("<i4")
    images = body[of_labels:].reshape(-1, *entry.shape)
    return Arrays(Split(images[:train], labels[:train]), Split(images[train:], labels[train:]))
