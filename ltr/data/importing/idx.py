"""Folders of IDX files, the format of MNIST, by names such as train-images-idx3-ubyte, gzipped or not."""

import gzip
import zlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ltr.data.importing.base import Asked, Format, Found, split_of
from ltr.data.mnist import parse_idx

_KINDS = ("images-idx", "labels-idx")
"""What the names of files of images and of labels hold."""


def recognises(path: Path) -> bool:
    """Whether a folder has IDX files of images."""
    return path.is_dir() and bool(_files(path, "images-idx"))


def read(path: Path, asked: Asked) -> Found:
    """The images and the labels of each split that a file's name speaks of."""
    images, labels = ({split: _parse(file) for split, file in _by_split(path, kind)} for kind in _KINDS)
    if images.keys() != labels.keys():
        raise ValueError(f"has images of {', '.join(images)} and labels of {', '.join(labels) or 'none'}")
    return Found(images, labels)


def _by_split(path: Path, kind: str) -> list[tuple[str, Path]]:
    found = [(split_of(file.name) or "train", file) for file in _files(path, kind)]
    for index, (split, file) in enumerate(found):
        if split in dict(found[:index]):
            raise ValueError(f"{file.name} is a second file of {split}")
    return found


def _files(path: Path, kind: str) -> list[Path]:
    return [file for file in sorted(path.iterdir()) if kind in file.name.replace(".idx", "-idx")]


def _parse(file: Path) -> NDArray[Any]:
    try:
        content = file.read_bytes()
        return parse_idx(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{file.name}: {error}") from None


FORMAT = Format("IDX files", recognises, read)
