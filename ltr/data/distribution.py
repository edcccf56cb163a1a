"""Distributed forms of data sets."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ltr.data.arrays import Arrays


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
