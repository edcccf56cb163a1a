"""Arrays from an .npz file, with everything that can be wrong with it said in one line."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ltr.data.entry import Arrays, Split

_NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def read_npz(path: Path) -> Arrays:
    """The arrays of a file; ValueError says what is wrong with it.

    It has `train_images` and `test_images`, uint8 [N, height, width] or [N, height, width, channels],
    and `train_labels` and `test_labels`, integers [N]. Every label from 0 to the highest has a
    training example.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError("not an .npz file, nor a folder of prepared TFDS data")
    with np.load(path) as file:
        train_images, train_labels, test_images, test_labels = (_member(file, name) for name in _NAMES)
    arrays = Arrays(_split("train", train_images, train_labels), _split("test", test_images, test_labels))
    ours, theirs = (split.images.shape[1:] for split in arrays)
    if ours != theirs:
        raise ValueError(f"an image of test_images has shape {theirs}, of train_images {ours}")
    require_below(int(train_labels.max()) + 1, "test", test_labels)
    return arrays


def require_below(classes: int, split: str, labels: NDArray[Any]) -> None:
    """ValueError for a label that is no class."""
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise ValueError(f"a {split} label is {outside[0]}, must be 0 to {classes - 1}")


def _member(file: NpzFile, name: str) -> NDArray[Any]:
    if name not in file.files:
        raise ValueError(f"has no array {name}; needs {', '.join(_NAMES)}")
    try:
        return file[name]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{name} cannot be read ({error})") from None


def _split(name: str, images: NDArray[Any], labels: NDArray[Any]) -> Split:
    if images.dtype != np.uint8:
        raise ValueError(f"{name}_images is {images.dtype}, must be uint8")
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise ValueError(
            f"{name}_images has shape {images.shape}, must be [N, height, width] or "
            "[N, height, width, channels] and not empty"
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{name}_labels is {labels.dtype}, must be integers")
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{name}_labels has shape {labels.shape}, must have {images.shape[:1]} as the images"
        )
    if name == "train":
        _require_no_gap(labels)
    pixels = np.ascontiguousarray(images[..., np.newaxis] if images.ndim == 3 else images, np.uint8)
    return Split(pixels, labels.astype(np.int32))


def _require_no_gap(labels: NDArray[Any]) -> None:
    found = np.unique(labels)
    strays = found[found != np.arange(len(found))]
    if len(strays):
        raise ValueError(f"train_labels holds {strays[0]}, must hold 0, 1, 2, ... without a gap")
    if len(found) < 2:
        raise ValueError("train_labels holds a single class, must hold two or more")
