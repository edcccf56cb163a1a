"""CIFAR-100 with its 100 fine labels. Prepared TFDS data also hold the 20 coarse labels."""

from collections.abc import Mapping
from typing import Any

from ltr.data.arrays import Arrays
from ltr.data.cifar10 import from_records, identifier, members
from ltr.data.distribution import Distribution, Files, Original

_ARCHIVE = "cifar-100-binary.tar.gz"
_COARSE = (
    4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11,
    6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5,
    5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17,
    10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13,
    16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
)  # fmt: skip


def _read(files: Mapping[str, bytes]) -> Arrays:
    """Read the splits. A record has two label bytes, coarse and fine."""
    names = ("cifar-100-binary/train.bin", "cifar-100-binary/test.bin")
    return Arrays(*(from_records(content, label_bytes=2) for content in members(files[_ARCHIVE], names)))


def _features(split: str, index: int, label: int) -> dict[str, Any]:
    return identifier(split, index, label) | {"coarse_label": _COARSE[label]}


CIFAR100 = Files(
    distributions=(
        Distribution(
            (Original(_ARCHIVE, "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"),), _read
        ),
    ),
    features=_features,
)
