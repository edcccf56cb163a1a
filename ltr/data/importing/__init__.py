"""Files that people have, turned into the .npz file that `dataset.path` reads.

A format is a file of this folder with a `Format`, named in `FORMATS`.
"""

import shlex
from pathlib import Path
from typing import NamedTuple

from ltr.data.content import Content
from ltr.data.importing import arrays, cifar, csv_table, idx, image_folder, parquet
from ltr.data.importing.base import Asked, Format
from ltr.data.importing.finish import finish
from ltr.errors import ConfigError, DataNotFoundError

FORMATS = (cifar.FORMAT, idx.FORMAT, parquet.FORMAT, image_folder.FORMAT, csv_table.FORMAT, arrays.FORMAT)
"""In the order in which they are tried: a folder of images may hold a CSV file, too."""


class Imported(NamedTuple):
    """What was read, from which format, and notes on what was done to it, a line each."""

    content: Content
    format: str
    notes: list[str]


def read(path: Path, asked: Asked) -> Imported:
    """The data in a file or folder.

    Raises:
        ConfigError: it is of no known format, is damaged, or needs an option; says which.
        DataNotFoundError: nothing is there.
    """
    if not path.exists():
        raise DataNotFoundError(f"{path}: no such file or folder")
    if (path / "dataset_info.json").exists():
        raise ConfigError(f"{path}: prepared TFDS data, which dataset.path={path} reads without an import")
    detected = detect(path)
    if detected is None:
        known = ", ".join(one.name for one in FORMATS)
        raise ConfigError(f"{path}: of no format that is known here ({known})")
    for option in ("label", "shape", "size"):
        if getattr(asked, option) is not None and option not in detected.takes:
            raise ConfigError(f"--{option}: has no meaning for {path}, {detected.name}")
    try:
        content, notes = finish(detected.read(path, asked), asked)
    except (ValueError, OSError) as error:
        said = str(error).removeprefix(f"{path.name}: ")  # a format names the file if it reads several
        raise ConfigError(f"{path}: {said}") from error
    return Imported(content, detected.name, notes)


def detect(path: Path) -> Format | None:
    """The format of a file or folder; None if it is of none."""
    return next((known for known in FORMATS if known.recognises(path)), None)


def advice(path: Path) -> str | None:
    """What to type so that a run can read a file or folder; None if `ltr data import` does not know it."""
    detected = detect(path)
    if detected is None or (detected is arrays.FORMAT and not arrays.is_only_named_otherwise(path)):
        return None
    return f"holds {detected.name}; for what a run reads, type: ltr data import {shlex.quote(str(path))}"
