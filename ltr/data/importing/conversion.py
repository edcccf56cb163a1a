"""Conversion of file contents to a run's data: uint8 images of one shape, integer labels, a test split."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.core.plural import number_of
from ltr.data.arrays import Split
from ltr.data.content import Content, require_every_class, require_one_shape
from ltr.data.images import described, is_channels_first, to_uint8, with_channels
from ltr.data.importing.base import ImportOptions, RawData
from ltr.data.labels import integers, one_each, require_below
from ltr.data.splitting import stratified


def convert(raw: RawData, options: ImportOptions) -> tuple[Content, list[str]]:
    """Return the data and a note for each conversion.

    Raises:
        ValueError: there is no training split, there is no test split and `options.test` is None, or images
            or labels cannot be converted without loss.
    """
    if "train" not in raw.images:
        raise ValueError(f"has no training split; it has {', '.join(raw.images)}")
    images, notes = _images(raw, options)
    labels, class_names = _classes(_labels(raw), raw.class_names)
    splits = {name: Split(images[name], labels[name]) for name in images}
    require_every_class(labels["train"], "training", class_names)
    if "test" not in splits:
        splits["train"], splits["test"] = _cut(splits["train"], options.test)
    elif options.test is not None:
        raise ValueError(f"--test {options.test:g}: there is a test split already")
    content = Content(splits["train"], splits.get("validation"), splits["test"], class_names)
    return content, [*raw.notes, *notes]


def _images(raw: RawData, options: ImportOptions) -> tuple[dict[str, NDArray[np.uint8]], list[str]]:
    """Return images [N, height, width, channels] by split, and notes."""
    named = {f"{split}_images": _unflattened(array, options) for split, array in raw.images.items()}
    pixels, layout, notes = to_uint8(named), options.layout, []
    if layout is None and any(is_channels_first(array.shape) for array in pixels.values()):
        layout = "channels_first"
    images = with_channels(pixels, layout, "--layout ")
    require_one_shape(images)
    if layout != options.layout:
        shape = next(iter(images.values())).shape[1:]
        notes.append(
            f"read as channels first: {described(shape)}; if that is wrong, type --layout channels_last"
        )
    return {name.removesuffix("_images"): array for name, array in images.items()}, notes


def _unflattened(images: NDArray[Any], options: ImportOptions) -> NDArray[Any]:
    if images.ndim != 2:
        return images
    pixels = images.shape[1]
    side = math.isqrt(pixels)
    shape = options.shape or (side, side)
    if math.prod(shape) != pixels:
        given = f"--shape {'x'.join(map(str, shape))}" if options.shape else "a square"
        raise ValueError(
            f"an image has {number_of(pixels, 'pixel')}, which do not fit {given}; type --shape "
            "HEIGHTxWIDTH or, for several channels, --shape HEIGHTxWIDTHxCHANNELS "
            "(--layout channels_first: CHANNELSxHEIGHTxWIDTH)"
        )
    return images.reshape(-1, *shape)


def _labels(raw: RawData) -> dict[str, NDArray[Any]]:
    """Return labels [N] by split, words or integers."""
    labels = {}
    for split, array in raw.labels.items():
        labels[split] = _plain(split, one_each(f"{split}_labels", array, len(raw.images[split])))
    if any(array.dtype.kind == "U" for array in labels.values()):
        return {split: array.astype(str) for split, array in labels.items()}
    return labels


def _plain(split: str, labels: NDArray[Any]) -> NDArray[Any]:
    missing = np.array([label is None or label != label for label in labels.tolist()], bool)
    if missing.any():
        raise ValueError(f"{split}_labels has no label in row {missing.argmax()}")
    if labels.dtype.kind in "OSU":
        return labels.astype(str)
    if labels.dtype.kind == "f" and (labels == np.round(labels)).all():
        return labels.astype(np.int64)
    return integers(f"{split}_labels", labels.astype(np.int64) if labels.dtype == bool else labels)


def _classes(
    labels: Mapping[str, NDArray[Any]], names: Any
) -> tuple[dict[str, NDArray[np.int32]], tuple[str, ...]]:
    """Return labels 0, 1, 2, ... by split, and the class names."""
    known = np.unique(labels["train"])
    if len(known) < 2:
        raise ValueError("all training images have the same class; needs two classes or more")
    if names is not None:
        for split, array in labels.items():
            require_below(len(names), split, integers(f"{split}_labels", array))
        return {split: array.astype(np.int32) for split, array in labels.items()}, tuple(names)
    for split, array in labels.items():
        strays = array[~np.isin(array, known)]
        if len(strays):
            raise ValueError(f"a {split} image has class {strays[0]}, which no training image has")
    numbered = {split: np.searchsorted(known, array).astype(np.int32) for split, array in labels.items()}
    return numbered, tuple(map(str, known))


def _cut(train: Split, fraction: float | None) -> tuple[Split, Split]:
    """Return the training examples and a test split with a share of each class."""
    if fraction is None:
        raise ValueError("has no test split; type --test 0.2 to make one of a fifth of each class")
    count = round(fraction * len(train.labels))
    try:
        rows = stratified(train.labels, count)
    except ValueError as error:
        raise ValueError(f"--test {fraction:g} is {number_of(count, 'image')}, {error}") from None
    kept = np.delete(np.arange(len(train.labels)), rows)
    return train.take(kept), train.take(rows)
