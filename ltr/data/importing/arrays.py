"""NumPy arrays with other names, such as x_train, y_train, X, y: an .npz file or a folder of .npy files."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ltr.data.importing.base import SPLITS, Format, ImportOptions, RawData, split_of
from ltr.data.limits import regular_files
from ltr.data.npz import NEEDED, read_array, read_members
from ltr.errors import reason

_KINDS = {
    "images": ("x", "images", "image", "data", "inputs"),
    "labels": ("y", "labels", "label", "targets", "target"),
}


def recognises(path: Path) -> bool:
    """Return whether a path is an .npz file or a folder of .npy files."""
    return path.suffix == ".npz" if path.is_file() else bool(regular_files(path, "*.npy"))


def read(path: Path, options: ImportOptions) -> RawData:
    """Read the arrays. A name says whether they are images (`x`) or labels (`y`), and of which split."""
    arrays = read_members(path) if path.is_file() else _read_folder(path)
    names = arrays.pop("class_names", None)
    sorted_arrays: dict[str, dict[str, NDArray[Any]]] = {"images": {}, "labels": {}}
    for name, array in arrays.items():
        if kind := _kind(name):
            split = split_of(name) or "train"
            if split in sorted_arrays[kind]:
                raise ValueError(f"{name} is a second array of {split} {kind}")
            sorted_arrays[kind][split] = array
    images, labels = sorted_arrays["images"], sorted_arrays["labels"]
    if not images or images.keys() != labels.keys():
        raise ValueError(f"has the arrays {', '.join(arrays)}; {_needed(images, labels)}")
    unused = [name for name in arrays if not _kind(name)]
    notes = [f"not used: {', '.join(unused)}"] if unused else []
    return RawData(images, labels, None if names is None else [str(name) for name in names], notes)


def has_other_names(path: Path) -> bool:
    """Return whether a path has images and labels, but not under the names that a run reads."""
    try:
        read(path, ImportOptions())
        return path.is_dir() or not set(NEEDED) <= set(read_members(path))
    except (ValueError, OSError):
        return False


def _needed(images: Mapping[str, Any], labels: Mapping[str, Any]) -> str:
    for split in SPLITS:
        if (split in images) != (split in labels):
            has, lacks = ("images", "labels") if split in images else ("labels", "images")
            return f"has {split} {has} but no {split} {lacks}"
    return "needs x_train, y_train, x_test and y_test, or images and labels"


def _read_folder(path: Path) -> dict[str, NDArray[Any]]:
    arrays = {}
    for file in regular_files(path, "*.npy"):
        try:
            with file.open("rb") as content:
                arrays[file.stem] = read_array(content, file.stat().st_size)
        except Exception as error:  # parsers raise errors of any type
            raise ValueError(f"{file.name}: cannot be read ({reason(error)})") from None
    return arrays


def _kind(name: str) -> str | None:
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((kind for kind, known in _KINDS.items() if any(word in known for word in words)), None)


FORMAT = Format("NumPy arrays", recognises, read, frozenset({"shape"}))
