"""What a format of files brings, and what one may ask of it."""

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


class Asked(NamedTuple):
    """The options of `ltr data import`; None where one is not given."""

    label: str | None = None
    """name, or position from 0, of the column of labels"""
    shape: tuple[int, ...] | None = None
    """of an image: height and width, or all three dimensions in their order"""
    size: tuple[int, int] | None = None
    """height and width that images are resized to"""
    layout: Layout | None = None
    test: float | None = None
    """fraction of the training images that becomes the test split"""


class Found(NamedTuple):
    """What is in files, as it is there: images and labels of any type."""

    images: Mapping[str, NDArray[Any]]
    """by split: train, validation, test"""
    labels: Mapping[str, NDArray[Any]]
    """by the same splits; words, or numbers"""
    class_names: Sequence[str] | None = None
    """of labels 0, 1, 2, ..., if the files say so"""
    notes: Sequence[str] = ()
    """what was done to the images, or left out, a line each"""


class Format(NamedTuple):
    """A format of files."""

    name: str
    recognises: Callable[[Path], bool]
    """whether a file or folder is probably of this format; quick, and raises nothing but OSError"""
    read: Callable[[Path, Asked], Found]
    """raises ValueError, in one line, if something is wrong"""
    takes: frozenset[str] = frozenset()
    """the options of `Asked`, beside `layout` and `test`, that it heeds"""


def split_of(name: str) -> str | None:
    """The split that a name of a file, folder or array speaks of; None if of none."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((_SPLITS[word] for word in words if word in _SPLITS), None)


def by_split(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Files by the split that their names speak of; a single file of none is all there is to train on.

    Raises:
        ValueError: several files, of which one speaks of no split.
    """
    if len(paths) == 1:
        return {split_of(paths[0].stem) or "train": list(paths)}
    found: dict[str, list[Path]] = {}
    for path in paths:
        split = split_of(path.name)
        if split is None:
            raise ValueError(f"{path.name}: must have train, validation or test in its name")
        found.setdefault(split, []).append(path)
    return {split: found[split] for split in SPLITS if split in found}
