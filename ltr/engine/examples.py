"""Data set of a training in the layout of a device, and its images as inputs of a network."""

import itertools
import math
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, Int32, UInt8

from ltr import kernels
from ltr.core.aligned import aligned, empty
from ltr.data.arrays import Split
from ltr.data.dataset import Dataset
from ltr.kernels import Array, Images
from ltr.models.model import Model

EVALUATION_BATCH = 128
"""Most examples evaluated at once, so that their activations stay in a core's cache.

They fill four cache lines of `ltr.kernels.Pixels`.
"""


class Batches(NamedTuple):
    """Examples in batches of equal size; padding has labels of -1."""

    images: UInt8[Array, "batches batch height width channels"]
    labels: Int32[Array, "batches batch"]


class Examples(NamedTuple):
    """A data set in the layout of a device.

    Attributes:
        images, labels: of training.
        held_out: examples for evaluation: of validation and then of the test set.
        validation, test: batches of `held_out`, from the first up to but not including the last.
        mean, std: for normalisation.
    """

    images: UInt8[Array, "examples height width channels"]
    labels: Int32[Array, "examples"]
    held_out: Batches
    validation: Int32[Array, "2"]
    test: Int32[Array, "2"]
    mean: Float32[Array, "channels"]
    std: Float32[Array, "channels"]


def lay_out(dataset: Dataset) -> Examples:
    """Lay out a data set for a device; no example of any split is dropped.

    Images begin at a cache line, so that all CPU devices use the same copy.
    """
    splits = dataset.validation, dataset.test
    size = max(_batch_size(len(split.labels)) for split in splits)
    first, last = itertools.accumulate(math.ceil(len(split.labels) / size) for split in splits)
    return Examples(
        aligned(dataset.train.images),
        dataset.train.labels,
        _batches(splits, size, last),
        np.array([0, first], np.int32),
        np.array([first, last], np.int32),
        dataset.mean,
        dataset.std,
    )


def shapes(training: int, validation: int, test: int, image: tuple[int, ...]) -> Examples:
    """Return shapes and types of what `lay_out` makes of so many examples with images of this shape."""
    shaped: Any = jax.ShapeDtypeStruct
    size = max(map(_batch_size, (validation, test)))
    count = sum(math.ceil(examples / size) for examples in (validation, test))
    return Examples(
        shaped((training, *image), jnp.uint8),
        shaped((training,), jnp.int32),
        Batches(shaped((count, size, *image), jnp.uint8), shaped((count, size), jnp.int32)),
        *[shaped((2,), jnp.int32)] * 2,
        *[shaped(image[-1:], jnp.float32)] * 2,
    )


def _batch_size(count: int) -> int:
    """Return the size of the fewest batches that hold so many examples, with the least padding."""
    return math.ceil(count / math.ceil(count / EVALUATION_BATCH))


def _batches(splits: Sequence[Split], size: int, count: int) -> Batches:
    """Return `count` batches of `size` examples; each split begins with a batch of its own."""
    images = empty((count, size, *splits[0].images.shape[1:]), np.uint8)
    labels = np.full((count, size), -1, np.int32)
    images[...] = 0
    start = 0
    for split in splits:
        end = start + math.ceil(len(split.labels) / size)
        for batches, examples in zip((images, labels), split, strict=True):
            batches[start:end].reshape(-1, *batches.shape[2:])[: len(examples)] = examples
        start = end
    return Batches(images, labels)


class Form(Enum):
    """Form in which a network reads its images."""

    FLOATS = "normalised floats"
    BYTES = "ltr.kernels.ByteImages"
    PIXELS = "ltr.kernels.Pixels"


def form(model: Model, fused: Collection[str], packed: Collection[str]) -> Form:
    """Return the form of images for a network: its `input_layer` normalises them if a kernel computes it.

    Args:
        model: the network.
        fused: names of its fused layers (see `ltr.models.fused`).
        packed: names of its packed layers.
    """
    if model.input_layer in packed:
        return Form.PIXELS
    return Form.BYTES if model.input_layer in fused else Form.FLOATS


def normalise(
    images: UInt8[Array, "*batch height width channels"], data: Examples
) -> Float32[jax.Array, "*batch height width channels"]:
    """Scale images to zero mean and unit standard deviation over the training set."""
    return (jnp.asarray(images, jnp.float32) - data.mean) / data.std


def prepare_inputs(
    images: UInt8[Array, "count height width channels"],
    data: Examples,
    form: Form = Form.FLOATS,
    chosen: Int32[Array, "batch"] | None = None,
    coming: Int32[Array, "batch"] | None = None,
) -> Images:
    """Prepare images for a network.

    Args:
        images: images of bytes.
        data: data set of the images; its mean and standard deviation are used.
        form: form in which the network reads them.
        chosen: indices of the images to take; all by default.
        coming: guess at the indices of the next call, to prefetch them.
    """
    if form is Form.FLOATS:
        return normalise(images if chosen is None else images[chosen], data)
    which = jnp.arange(len(images)) if chosen is None else chosen
    if form is Form.BYTES:
        return kernels.byte_images(images, which, data.mean, data.std)
    return kernels.pixels(images, which, data.mean, data.std, coming)
