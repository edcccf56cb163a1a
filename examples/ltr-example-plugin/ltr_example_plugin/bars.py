"""Synthetic data set: noisy 6x6 images of a bright row (label 0) or a bright column (label 1)."""

from collections.abc import Mapping

import numpy as np

from ltr.data.arrays import Arrays, Split
from ltr.data.distribution import Distribution, Files


def read(_: Mapping[str, bytes]) -> Arrays:
    """Draw 400 training images and 100 test images; there are no files to read."""
    generator = np.random.default_rng(0)
    return Arrays(_split(generator, 400), _split(generator, 100))


def _split(generator: np.random.Generator, count: int) -> Split:
    images = generator.integers(0, 128, (count, 6, 6, 1), np.uint8)
    labels = generator.integers(0, 2, count, np.int32)
    for image, label, place in zip(images, labels, generator.integers(0, 6, count), strict=True):
        bar = image[:, place] if label else image[place]
        bar += 100
    return Split(images, labels)


BARS = Files((Distribution((), read),))
