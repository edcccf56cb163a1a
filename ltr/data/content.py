"""Data of one's own once they are read: splits, names of classes, and what can be odd about them."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.data import images as pixels
from ltr.data.arrays import fingerprint
from ltr.data.entry import Arrays, Split


class Content(NamedTuple):
    """Splits of one image shape."""

    train: Split
    validation: Split | None
    """None where the data bring no such split"""
    test: Split
    class_names: tuple[str, ...]
    """of labels 0, 1, 2, ...; the labels in digits where they have no names"""
    unused: tuple[str, ...] = ()
    """arrays or splits that are there and that no run looks at"""

    @property
    def arrays(self) -> Arrays:
        return Arrays(self.train, self.test)

    @property
    def splits(self) -> dict[str, Split]:
        """Those that there are, by name, in the order of training."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels


def digest(content: Content, name: str, with_validation: bool) -> str:
    """SHA-256, hexadecimal, of what a run uses, the same wherever it lies and however it is compressed."""
    sizes = (len(content.train.labels), len(content.test.labels))
    said = f"{(name, content.shape, len(content.class_names), *sizes)} {fingerprint(content.arrays)}"
    if with_validation and content.validation is not None:
        said += f" {fingerprint(Arrays(content.validation, content.validation))}"
    return hashlib.sha256(said.encode()).hexdigest()


def require_one_shape(images: Mapping[str, NDArray[Any]]) -> None:
    """ValueError for arrays [N, height, width, channels] that differ in more than N."""
    first, *others = images
    for name in others:
        if images[name].shape[1:] != images[first].shape[1:]:
            raise ValueError(
                f"an image of {name} has shape {images[name].shape[1:]}, of {first} {images[first].shape[1:]}"
            )


def require_every_class(
    labels: NDArray[np.int32], split: str, class_names: tuple[str, ...], least: int = 1
) -> None:
    """ValueError names the first class with fewer than `least` examples in a split."""
    counts = np.bincount(labels, minlength=len(class_names))
    few = np.flatnonzero(counts < least)
    if len(few):
        needs = f", needs {least} or more" if least > 1 else ""
        others = f" (nor have {len(few) - 1} other classes)" if len(few) > 1 else ""
        found = f"{named(int(few[0]), class_names)} has {counts[few[0]] or 'no'} {split} example"
        raise ValueError(f"{found}{needs}{others}")


def named(label: int, class_names: tuple[str, ...]) -> str:
    """`class 3 (cat)`; `class 3` where it has no name."""
    name = class_names[label]
    return f"class {label}" if name == str(label) else f"class {label} ({name})"


def oddities(content: Content) -> Iterator[str]:
    """What is probably a mistake, a line each."""
    if content.unused:
        yield f"not used: {', '.join(content.unused)}"
    for name, split in content.splits.items():
        if len(rows := pixels.constant(split.images)):
            count = f"{len(rows):,} of {len(split.labels):,} {name} images"
            yield f"{count} are of a single colour, the first in row {rows[0]}"
