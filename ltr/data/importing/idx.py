"""Folders of IDX files, MNIST's format, with names such as train-images-idx3-ubyte, gzipped or not."""

import gzip
import zlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ltr.data.importing.base import Format, ImportOptions, RawData, split_of
from ltr.data.mnist import parse_idx

_KINDS = ("images-idx", "labels-idx")
"""Parts of the file names of images and of labels."""


def recognises(path: Path) -> bool:
    """Return whether a path is a folder with IDX files of images."""
    return path.is_dir() and bool(_files(path, "images-idx"))


def read(path: Path, options: ImportOptions) -> RawData:
    """Read images and labels; the names of the files say their split."""
    images, labels = ({split: _parse(file) for split, file in _by_split(path, kind)} for kind in _KINDS)
    if images.keys() != labels.keys():
        raise ValueError(f"has images of {', '.join(images)} and labels of {', '.join(labels) or 'none'}")
    return RawData(images, labels)


def _by_split(path: Path, kind: str) -> list[tuple[str, Path]]:
    files = [(split_of(file.name) or "train", file) for file in _files(path, kind)]
    for index, (split, file) in enumerate(files):
        if split in dict(files[:index]):
            raise ValueError(f"{file.name} is a second file of {split}")
    return files


def _files(path: Path, kind: str) -> list[Path]:
    return [file for file in sorted(path.iterdir()) if kind in file.name.replace(".idx", "-idx")]


def _parse(file: Path) -> NDArray[Any]:
    try:
        content = file.read_bytes()
        return parse_idx(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{file.name}: {error}") from None


FORMAT = Format("IDX files", recognises, read)
