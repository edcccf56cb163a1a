"""Import of common file formats to an .npz file that `dataset.path` reads.

A format is a module of this package with a `Format`; `FORMATS` lists them.
"""

import shlex
from pathlib import Path
from typing import NamedTuple

from ltr.data.content import Content
from ltr.data.importing import arrays, cifar, csv_table, idx, image_folder, parquet
from ltr.data.importing.base import Format, ImportOptions
from ltr.data.importing.conversion import convert
from ltr.data.limits import require_openable
from ltr.errors import ConfigError, DataNotFoundError

FORMATS = (cifar.FORMAT, idx.FORMAT, parquet.FORMAT, image_folder.FORMAT, csv_table.FORMAT, arrays.FORMAT)
"""Formats in the order of detection. A folder of images may also hold a CSV file, so images come first."""


class Imported(NamedTuple):
    """Imported data, the name of their format, and a note for each conversion."""

    content: Content
    format: str
    notes: list[str]


def read(path: Path, options: ImportOptions) -> Imported:
    """Read the data in a file or folder.

    Raises:
        ConfigError: the format is unknown, the data are damaged, or an option is missing; the message says
            which.
        DataNotFoundError: `path` does not exist.
    """
    if not path.exists():
        raise DataNotFoundError(f"{path}: no such file or folder")
    try:
        require_openable(path)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    if (path / "dataset_info.json").exists():
        raise ConfigError(f"{path}: prepared TFDS data, which dataset.path={path} reads without an import")
    detected = detect(path)
    if detected is None:
        known = ", ".join(known_format.name for known_format in FORMATS)
        raise ConfigError(f"{path}: unknown format; known are {known}")
    for option in ("label", "shape", "size"):
        if getattr(options, option) is not None and option not in detected.takes:
            raise ConfigError(f"--{option}: does not apply to {path}, {detected.name}")
    try:
        content, notes = convert(detected.read(path, options), options)
    except (ValueError, OSError) as error:
        message = str(error).removeprefix(f"{path.name}: ")  # formats name the file if they read several
        raise ConfigError(f"{path}: {message}") from error
    return Imported(content, detected.name, notes)


def detect(path: Path) -> Format | None:
    """Return the format of a file or folder; None if it is unknown."""
    return next((known for known in FORMATS if known.recognises(path)), None)


def advice(path: Path) -> str | None:
    """Return the import command for a file or folder; None if its format is unknown or needs no import."""
    detected = detect(path)
    if detected is None or (detected is arrays.FORMAT and not arrays.has_other_names(path)):
        return None
    return f"holds {detected.name}; to convert it for runs, type: ltr data import {shlex.quote(str(path))}"
