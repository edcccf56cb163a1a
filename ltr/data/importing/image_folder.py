"""A folder of images, one folder a class: SPLIT/CLASS/*.png, as torchvision's ImageFolder, or CLASS/*.png."""

from pathlib import Path

import numpy as np

from ltr.data.importing.base import SPLITS, Asked, Format, Found, split_of
from ltr.data.importing.encoded import SUFFIXES, Encoded, decode


def recognises(path: Path) -> bool:
    """Whether a folder has images two or three levels down."""
    return path.is_dir() and any(
        _images(inner) or any(map(_images, _folders(inner))) for inner in _folders(path)
    )


def read(path: Path, asked: Asked) -> Found:
    """Every image below a folder, in the order of their paths; its class is the folder it lies in."""
    files = {
        split: [(image, kind.name) for kind in _classes(folder) for image in _images(kind)]
        for split, folder in _splits(path).items()
    }
    encoded = {
        split: [Encoded(str(image.relative_to(path)), image) for image, _ in part]
        for split, part in files.items()
    }
    images, notes = decode(encoded, asked.size)
    labels = {split: np.array([name for _, name in part]) for split, part in files.items()}
    return Found(images, labels, notes=[*_left_out(path, sum(map(len, files.values()))), *notes])


def _splits(path: Path) -> dict[str, Path]:
    if any(map(_images, _folders(path))):
        return {"train": path}
    found: dict[str, Path] = {}
    for folder in _folders(path):
        split = split_of(folder.name)
        if split is None or split in found:
            raise ValueError(f"{folder.name}: must be one folder each for train, validation and test")
        found[split] = folder
    return {split: found[split] for split in SPLITS if split in found}


def _classes(folder: Path) -> list[Path]:
    classes = _folders(folder)
    for one in classes:
        if not _images(one):
            raise ValueError(f"{one.relative_to(folder.parent)}: a class without an image")
    return classes


def _left_out(path: Path, used: int) -> list[str]:
    others = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    strays = [file for file in others if file.suffix.lower() not in SUFFIXES]
    deep = len(others) - len(strays) - used
    notes = (
        [f"{len(strays):,} files are no images, the first {strays[0].relative_to(path)}"] if strays else []
    )
    return [*notes, f"{deep:,} images lie in no folder of a class and were left out"] if deep else notes


def _folders(path: Path) -> list[Path]:
    return sorted(inner for inner in path.iterdir() if inner.is_dir() and not inner.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    return sorted(
        file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )


FORMAT = Format("a folder of images", recognises, read, frozenset({"size"}))
