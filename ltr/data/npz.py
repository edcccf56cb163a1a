"""Reading and writing of .npz data files, with one-line errors for whatever is wrong in them."""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ltr.core import atomic
from ltr.core.printable import on_one_line
from ltr.data.arrays import Split
from ltr.data.content import Content, require_one_shape
from ltr.data.images import Layout, to_uint8, with_channels
from ltr.data.labels import integers, one_each, require_below
from ltr.data.limits import require_memory
from ltr.errors import reason

NEEDED = ("train_images", "train_labels", "test_images", "test_labels")
_VALIDATION = ("val_images", "val_labels")
_NAMES = "class_names"
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_SUFFIX = ".npy"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


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
    with _opened(path) as archive:
        members = archive.infolist()
        require_memory(sum(member.file_size for member in members))
        return {member.filename.removesuffix(_SUFFIX): _member(archive, member) for member in members}


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # of any type, as for its members
        raise ValueError(f"damaged ({reason(error)})") from None


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    name = member.filename.removesuffix(_SUFFIX)
    if name == member.filename or not name.isprintable():
        raise ValueError(
            f"{on_one_line(name)} is not an array, whose name is printable and ends in {_SUFFIX}"
        )
    try:
        with archive.open(member) as file:
            return read_array(file, member.file_size)
    except Exception as error:  # zipfile raises errors of any type for damaged members
        raise ValueError(f"{name} cannot be read ({reason(error)})") from None


def read_array(file: IO[bytes], size: int) -> NDArray[Any]:
    """Return the array of an .npy file of `size` bytes; memory is asked for once its header fits its size.

    Raises:
        ValueError: the file holds something else.
    """
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version[0]}.{version[1]} of the .npy format, must be 1.0 or 2.0")
    shape, _, dtype = _HEADERS[version](file)
    expected, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if not dtype.hasobject and expected != found:
        raise ValueError(f"shape {shape} of {dtype}: expected {expected:,} bytes, found {found:,}")
    require_memory(expected)
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


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
