"""Folders of images, one per class: SPLIT/CLASS/*.png, as torchvision's ImageFolder, or CLASS/*.png."""

from pathlib import Path

import numpy as np

from ltr.core.plural import is_or_are, number_of
from ltr.data.importing.base import SPLITS, Format, ImportOptions, RawData, split_of
from ltr.data.importing.encoded import SUFFIXES, Encoded, decode
from ltr.data.limits import regular_files


def recognises(path: Path) -> bool:
    """Return whether a path is a folder with images in CLASS/ or SPLIT/CLASS/."""
    return path.is_dir() and any(
        _images(inner) or any(map(_images, _folders(inner))) for inner in _folders(path)
    )


def read(path: Path, options: ImportOptions) -> RawData:
    """Read all images in the order of their paths. The class of an image is the folder that holds it."""
    files = {
        split: [(image, inner.name) for inner in _classes(folder) for image in _images(inner)]
        for split, folder in _splits(path).items()
    }
    encoded = {
        split: [Encoded(str(image.relative_to(path)), image) for image, _ in part]
        for split, part in files.items()
    }
    images, notes = decode(encoded, options.size)
    labels = {split: np.array([name for _, name in part]) for split, part in files.items()}
    return RawData(images, labels, notes=[*_left_out(path, sum(map(len, files.values()))), *notes])


def _splits(path: Path) -> dict[str, Path]:
    if any(map(_images, _folders(path))):
        return {"train": path}
    folders: dict[str, Path] = {}
    for folder in _folders(path):
        split = split_of(folder.name)
        if split is None or split in folders:
            raise ValueError(f"{folder.name}: must be one folder each for train, validation and test")
        folders[split] = folder
    return {split: folders[split] for split in SPLITS if split in folders}


def _classes(folder: Path) -> list[Path]:
    classes = _folders(folder)
    for class_folder in classes:
        if not _images(class_folder):
            raise ValueError(f"{class_folder.relative_to(folder.parent)}: a class folder without images")
    return classes


def _left_out(path: Path, used: int) -> list[str]:
    others = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    strays = [file for file in others if file.suffix.lower() not in SUFFIXES]
    deep = len(others) - len(strays) - used
    notes = (
        [
            f"{number_of(len(strays), 'file')} {is_or_are(len(strays))} not of an image format, the first "
            f"{strays[0].relative_to(path)}"
        ]
        if strays
        else []
    )
    return [*notes, f"{number_of(deep, 'image')} left out: in no class folder"] if deep else notes


def _folders(path: Path) -> list[Path]:
    return sorted(inner for inner in path.iterdir() if inner.is_dir() and not inner.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    return [
        file
        for file in regular_files(folder, "*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    ]


FORMAT = Format("a folder of images", recognises, read, frozenset({"size"}))
