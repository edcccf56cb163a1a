"""CSV files: one row per image, with a column for the label and one for each pixel."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltr.data.importing.base import Format, ImportOptions, RawData, by_split
from ltr.data.limits import regular_files
from ltr.errors import reason

LABELS = ("label", "labels", "class", "target", "y")
"""Names of label columns that are recognised without `--label`."""


def recognises(path: Path) -> bool:
    """Return whether a path is a CSV file or a folder with CSV files."""
    return bool(_files(path))


def read(path: Path, options: ImportOptions) -> RawData:
    """Read the rows of a file, or of files with train, validation or test in their names."""
    images, labels = {}, {}
    for split, paths in by_split(_files(path)).items():
        parts = [_read(file, options.label) for file in paths]
        images[split], labels[split] = map(np.concatenate, zip(*parts, strict=True))
    return RawData(images, labels)


def _files(path: Path) -> list[Path]:
    candidates = regular_files(path, "*") if path.is_dir() else [path]
    return [file for file in candidates if file.name.lower().endswith((".csv", ".csv.gz"))]


def _read(file: Path, label: str | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return pixels [N, columns] and labels [N]."""
    import pandas as pd

    try:
        first = pd.read_csv(file, nrows=1, header=None, dtype=str).iloc[0]
        has_header = not all(map(_is_number, first))
        table = pd.read_csv(file, header=0 if has_header else None)
    except Exception as error:  # decompressors raise errors of any type
        raise ValueError(f"{file.name}: cannot be read as CSV ({reason(error)})") from None
    table.columns = table.columns.map(str)
    column = _label_column(file, list(table.columns), label, has_header)
    pixels = table.drop(columns=column)
    _require_numbers(file, pixels)
    return pixels.to_numpy(), table[column].to_numpy()


def _is_number(field: Any) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _label_column(file: Path, columns: list[str], label: str | None, has_header: bool) -> str:
    if label in columns:
        return str(label)
    known = [column for column in columns if column.lower() in LABELS]
    if label is None and len(known) == 1:
        return known[0]
    if not has_header:
        raise ValueError(
            f"{file.name}: has no header; type --label with the position of the label's column, "
            f"0 to {len(columns) - 1} (0 for the first)"
        )
    problem = "" if label is None else f"has no column {label}; "
    shown = ", ".join([*columns[:5], *(["..."] if len(columns) > 5 else [])])
    raise ValueError(f"{file.name}: {problem}type --label with the column of labels, one of {shown}")


def _require_numbers(file: Path, pixels: Any) -> None:
    for name, column in pixels.items():
        if column.dtype.kind not in "biuf":
            raise ValueError(
                f"{file.name}: column {name} must hold numbers, like every column but the label's"
            )
        if column.isna().any():
            raise ValueError(f"{file.name}: column {name} has no number in row {column.isna().argmax()}")


FORMAT = Format("CSV", recognises, read, frozenset({"label", "shape"}))
