"""Parquet files of encoded images as Hugging Face data sets write them: {bytes, path} and a label."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ltr.data.importing.base import Format, ImportOptions, RawData, by_split
from ltr.data.importing.encoded import Encoded, decode
from ltr.data.limits import regular_files, require_memory
from ltr.errors import reason

LABELS = ("label", "labels", "fine_label", "class", "target")
"""Names of label columns that are recognised without `--label`."""


def recognises(path: Path) -> bool:
    """Return whether a path is a Parquet file, or a folder with Parquet files in it or one level down."""
    return bool(_files(path))


def read(path: Path, options: ImportOptions) -> RawData:
    """Read the rows of a file, or of files with train, validation or test in their names."""
    paths = _files(path)
    if len(folders := sorted({file.parent.name for file in paths})) > 1:
        raise ValueError(f"has Parquet files in {', '.join(folders)}; must be a single one of these folders")
    encoded: dict[str, list[Encoded]] = {}
    labels: dict[str, Any] = {}
    class_names: list[str] | None = None
    for split, files in by_split(paths).items():
        tables = [_read(file) for file in files]
        image, label = _columns(files[0], tables[0].schema, options.label)
        _require_columns(files, tables, (image, label))
        encoded[split] = [
            Encoded(f"{file.name}, row {row}", _content(file, row, value))
            for file, table in zip(files, tables, strict=True)
            for row, value in enumerate(table[image].to_pylist())
        ]
        labels[split] = np.concatenate([np.array(table[label].to_pylist()) for table in tables])
        class_names = class_names or _class_names(tables[0].schema, label)
    images, notes = decode(encoded, options.size)
    return RawData(images, labels, class_names, notes)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix == ".parquet" else []
    return sorted([*regular_files(path, "*.parquet"), *regular_files(path, "*/*.parquet")])


def _read(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
        groups = range(table.num_row_groups)
        require_memory(sum(table.metadata.row_group(number).total_byte_size for number in groups))
        return table.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{file.name}: cannot be read as Parquet ({reason(error)})") from None


def _columns(file: Path, schema: Any, label: str | None) -> tuple[str, str]:
    """Return the names of the image column and the label column."""
    images = [field.name for field in schema if _is_encoded(field.type)]
    if len(images) != 1:
        raise ValueError(
            f"{file.name}: has {len(images)} columns of encoded images among {', '.join(schema.names)}; "
            "must have one, binary or {bytes, path}"
        )
    known = [name for name in schema.names if (name == label if label else name in LABELS)]
    if not known:
        raise ValueError(
            f"{file.name}: type --label with the column of labels, one of {', '.join(schema.names)}"
        )
    return images[0], known[0]


def _require_columns(files: Sequence[Path], tables: Sequence[Any], names: Sequence[str]) -> None:
    for file, table in zip(files, tables, strict=True):
        if lacking := [name for name in names if name not in table.column_names]:
            raise ValueError(f"{file.name}: has no column {lacking[0]}, as {files[0].name} has")


def _is_encoded(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _content(file: Path, row: int, value: Any) -> bytes:
    content = value["bytes"] if isinstance(value, dict) else value
    if content is None:
        raise ValueError(f"{file.name}, row {row}: has no image")
    return bytes(content)


def _class_names(schema: Any, label: str) -> list[str] | None:
    """Return the class names in Hugging Face's metadata; None if there are none."""
    metadata = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        names = json.loads(metadata)["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]


FORMAT = Format("Parquet", recognises, read, frozenset({"label", "size"}))
