"""Folders of IDX files, MNIST's format, with names such as train-images-idx3-ubyte, gzipped or not."""

import gzip
import zlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ltr.data.importing.base import Format, ImportOptions, RawData, split_of
from ltr.data.limits import regular_files, require_memory
from ltr.data.mnist import LARGEST_HEADER, idx_size, parse_idx

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
    found = [(split_of(file.name) or "train", file) for file in _files(path, kind)]
    for index, (split, file) in enumerate(found):
        if split in dict(found[:index]):
            raise ValueError(f"{file.name} is a second file of {split}")
    return found


def _files(path: Path, kind: str) -> list[Path]:
    return [file for file in regular_files(path, "*") if kind in file.name.replace(".idx", "-idx")]


def _parse(file: Path) -> NDArray[Any]:
    try:
        with (gzip.open if _is_compressed(file) else open)(file, "rb") as content:
            header = content.read(LARGEST_HEADER)
            require_memory(size := idx_size(header))
            beyond = max(0, size - len(header)) + 1  # one byte more, as longer files are refused
            return parse_idx(header + content.read(beyond))
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{file.name}: {error}") from None


def _is_compressed(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(2) == b"\x1f\x8b"


FORMAT = Format("IDX files", recognises, read)
