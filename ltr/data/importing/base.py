"""Interface of file formats, and the options and results of an import."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ltr.data.images import Layout

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "t10k": "test",
}

SPLITS = ("train", "validation", "test")


class ImportOptions(NamedTuple):
    """Options of `ltr data import`; None where an option is not given."""

    label: str | None = None
    """name or position (from 0) of the label column"""
    shape: tuple[int, ...] | None = None
    """shape of an image: height and width, or all three dimensions in their order"""
    size: tuple[int, int] | None = None
    """height and width to which images are resized"""
    layout: Layout | None = None
    test: float | None = None
    """fraction of the training images that becomes the test split"""


class RawData(NamedTuple):
    """Content of files before conversion: images and labels of any type."""

    images: Mapping[str, NDArray[Any]]
    """arrays by split: train, validation, test"""
    labels: Mapping[str, NDArray[Any]]
    """arrays by the same splits; words or numbers"""
    class_names: Sequence[str] | None = None
    """names of labels 0, 1, 2, ..., if the files have them"""
    notes: Sequence[str] = ()
    """one line for each conversion or omission of images"""


class Format(NamedTuple):
    """File format."""

    name: str
    recognises: Callable[[Path], bool]
    """returns quickly whether a path probably has this format; raises only OSError"""
    read: Callable[[Path, ImportOptions], RawData]
    """reads the data; raises ValueError with a one-line message"""
    takes: frozenset[str] = frozenset()
    """names of the options that apply to it, besides `layout` and `test`"""


def split_of(name: str) -> str | None:
    """Return the split in the name of a file, folder or array; None if there is none."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((_SPLITS[word] for word in words if word in _SPLITS), None)


def by_split(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Group files by the split in their names. A single file without a split is the training data.

    Raises:
        ValueError: there are several files, and one has no split in its name.
    """
    if len(paths) == 1:
        return {split_of(paths[0].stem) or "train": list(paths)}
    groups: dict[str, list[Path]] = {}
    for path in paths:
        split = split_of(path.name)
        if split is None:
            raise ValueError(f"{path.name}: must have train, validation or test in its name")
        groups.setdefault(split, []).append(path)
    return {split: groups[split] for split in SPLITS if split in groups}
