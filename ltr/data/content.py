"""Custom data in memory: splits, class names, and warnings about them."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.core.plural import is_or_are, number_of
from ltr.data import images as pixels
from ltr.data.arrays import Arrays, Split, fingerprint


class Content(NamedTuple):
    """Splits of custom data, all of one image shape."""

    train: Split
    validation: Split | None
    """None if the data have no validation split"""
    test: Split
    class_names: tuple[str, ...]
    """names of labels 0, 1, 2, ...; the digits themselves if classes have no names"""
    unused: tuple[str, ...] = ()
    """arrays or splits in the data that no run reads"""

    @property
    def arrays(self) -> Arrays:
        return Arrays(self.train, self.test)

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that exist, by name, in the order train, validation, test."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels


def digest(content: Content, name: str, with_validation: bool) -> str:
    """Return the hexadecimal SHA-256 of the data that a run uses, independent of path and compression."""
    sizes = (len(content.train.labels), len(content.test.labels))
    text = f"{(name, content.shape, len(content.class_names), *sizes)} {fingerprint(content.arrays)}"
    if with_validation and content.validation is not None:
        text += f" {fingerprint(Arrays(content.validation, content.validation))}"
    return hashlib.sha256(text.encode()).hexdigest()


def require_one_shape(images: Mapping[str, NDArray[Any]]) -> None:
    """Raise ValueError if arrays [N, height, width, channels] differ in image shape."""
    first, *others = images
    for name in others:
        if images[name].shape[1:] != images[first].shape[1:]:
            raise ValueError(
                f"an image of {name} has shape {images[name].shape[1:]}, "
                f"one of {first} {images[first].shape[1:]}"
            )


def require_every_class(
    labels: NDArray[np.int32], split: str, class_names: tuple[str, ...], least: int = 1
) -> None:
    """Raise ValueError, which names the class, if a class has fewer than `least` examples in a split."""
    counts = np.bincount(labels, minlength=len(class_names))
    few = np.flatnonzero(counts < least)
    if len(few):
        needs = f", needs {least} or more" if least > 1 else ""
        others = f" ({len(few)} classes have too few)"
        problem = f"{named(int(few[0]), class_names)} has {counts[few[0]] or 'no'} {split} example"
        raise ValueError(f"{problem}{needs}{others if len(few) > 1 else ''}")


def named(label: int, class_names: tuple[str, ...]) -> str:
    """Return text such as `class 3 (cat)`, or `class 3` if the class has no name."""
    name = class_names[label]
    return f"class {label}" if name == str(label) else f"class {label} ({name})"


def probable_mistakes(content: Content) -> Iterator[str]:
    """Yield a line for each probable mistake in the data."""
    if content.unused:
        yield f"not used: {', '.join(content.unused)}"
    for name, split in content.splits.items():
        if len(rows := pixels.constant(split.images)):
            count = f"{len(rows):,} of {number_of(len(split.labels), f'{name} image')}"
            yield f"{count} {is_or_are(len(rows))} of a single colour, the first in row {rows[0]}"
