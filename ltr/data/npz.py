"""Reading and writing of .npz data files, with one-line errors for whatever is wrong in them."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ltr.core import atomic
from ltr.data.arrays import Split
from ltr.data.content import Content, require_one_shape
from ltr.data.images import Layout, to_uint8, with_channels
from ltr.data.labels import integers, one_each, require_below

NEEDED = ("train_images", "train_labels", "test_images", "test_labels")
_VALIDATION = ("val_images", "val_labels")
_NAMES = "class_names"
_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def read_npz(path: Path, layout: Layout | None = None) -> Content:
    """Read the data in a file.

    Required arrays: `train_images` and `test_images`, [N, height, width] or [N, height, width, channels],
    uint8 or convertible to it without loss (see `ltr.data.images`); `train_labels` and `test_labels`,
    integers [N] or [N, 1]. Every label from 0 to the highest must have a training example. Optional arrays:
    `val_images` and `val_labels`, and `class_names`, words [classes]. The names of images and labels are
    those of MedMNIST (Yang et al., 2023).

    Raises:
        ValueError: an array is missing or invalid.
    """
    arrays = read_members(path)
    if missing := [name for name in NEEDED if name not in arrays]:
        raise ValueError(f"has no array {missing[0]}; needs {', '.join(NEEDED)}")
    there = [name for name in _VALIDATION if name in arrays]
    if len(there) == 1:
        raise ValueError(f"has {there[0]} alone; needs both of {' and '.join(_VALIDATION)}, or neither")
    known = (*NEEDED, *_VALIDATION, _NAMES)
    return _content(arrays, layout)._replace(unused=tuple(name for name in arrays if name not in known))


def write_npz(path: Path, content: Content) -> None:
    """Write data for `read_npz` atomically; OSError if the file cannot be written."""
    arrays: dict[str, Any] = {_NAMES: np.array(content.class_names)}
    for short, name in _SPLITS.items():
        if split := content.splits.get(name):
            arrays |= {f"{short}_images": split.images, f"{short}_labels": split.labels}
    with atomic.replacing(path) as file:
        np.savez(file, **arrays)


def read_members(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file by name; ValueError if one cannot be read."""
    if not zipfile.is_zipfile(path):
        raise ValueError("not an .npz file, nor a folder of prepared TFDS data")
    with np.load(path) as file:
        return {name: _member(file, name) for name in file.files}


def _member(file: NpzFile, name: str) -> NDArray[Any]:
    try:
        return file[name]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{name} cannot be read ({error})") from None


def _content(arrays: Mapping[str, NDArray[Any]], layout: Layout | None) -> Content:
    present = [short for short in _SPLITS if f"{short}_images" in arrays]
    given = {f"{short}_images": arrays[f"{short}_images"] for short in present}
    images = with_channels(to_uint8(given), layout, "dataset.layout=")
    require_one_shape(images)
    splits = {}
    for short in present:
        name = f"{short}_labels"
        labels = integers(name, one_each(name, arrays[name], len(images[f"{short}_images"])))
        if short == "train":
            class_names = _class_names(labels, arrays.get(_NAMES))
        require_below(len(class_names), _SPLITS[short], labels)
        splits[_SPLITS[short]] = Split(images[f"{short}_images"], labels.astype(np.int32))
    return Content(splits["train"], splits.get("validation"), splits["test"], class_names)


def _class_names(labels: NDArray[Any], names: NDArray[Any] | None) -> tuple[str, ...]:
    if names is not None:
        if names.ndim != 1 or names.dtype.kind not in "US" or len(names) < 2:
            raise ValueError(f"class_names has shape {names.shape} of {names.dtype}, must be words [classes]")
        return tuple(map(str, names.astype(str)))
    present = np.unique(labels)
    strays = present[present != np.arange(len(present))]
    if len(strays):
        raise ValueError(_gap(int(strays[0]), set(present.tolist())))
    if len(present) < 2:
        raise ValueError("train_labels holds a single class, must hold two or more")
    return tuple(map(str, present))


def _gap(stray: int, present: set[int]) -> str:
    if stray < 0:
        return f"train_labels holds {stray}, must hold 0, 1, 2, ... without a gap"
    missing = next(label for label in range(stray) if label not in present)
    return f"train_labels holds {stray}, must hold 0, 1, 2, ... without a gap: class {missing} has no example"
