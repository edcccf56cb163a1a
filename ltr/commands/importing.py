"""Command `ltr data import`: convert the user's images to an .npz file, and print the next command."""

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.commands.options import path
from ltr.core.plural import number_of
from ltr.errors import ConfigError
from ltr.faults import unwritable

if TYPE_CHECKING:
    from ltr.data.content import Content
    from ltr.data.importing import Imported

_VALIDATION = 0.1
"""Fraction of the training images that the printed command holds out for validation."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr data import`."""
    parser.add_argument(
        "path",
        metavar="PATH",
        type=path,
        help="a folder of images ([SPLIT/]CLASS/*.png), an .npz file or .npy files of other names, "
        "CSV, Parquet or IDX files, or batches of CIFAR",
    )
    parser.add_argument(
        "--output", metavar="FILE", type=path, help="the .npz file to write (default: PATH's name, here)"
    )
    parser.add_argument(
        "--test",
        metavar="FRACTION",
        type=_fraction,
        help="without a test split, take this fraction of each class of the training images for it",
    )
    parser.add_argument(
        "--label", metavar="COLUMN", help="column of labels, by name or position from 0 (CSV, Parquet)"
    )
    parser.add_argument(
        "--shape",
        metavar="HxW[xC]",
        type=_shape,
        help="shape of an image in a row of pixels (default: square)",
    )
    parser.add_argument(
        "--size",
        metavar="HxW",
        type=_size,
        help="resize every image file to this, whatever its proportions",
    )
    parser.add_argument(
        "--layout",
        choices=["channels_first", "channels_last"],
        help="order of the dimensions of arrays (default: guessed)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Import images, and print a summary; LtrError if they cannot be imported."""
    from ltr.data import importing
    from ltr.data.importing.base import ImportOptions
    from ltr.data.npz import write_npz

    output = _output(args.path, args.output)
    imported = importing.read(
        args.path, ImportOptions(args.label, args.shape, args.size, args.layout, args.test)
    )
    try:
        write_npz(output, imported.content)
    except OSError as error:
        raise unwritable(f"--output {output}", error) from error
    print(json.dumps(_facts(imported, output), indent=2) if args.json else _text(args.path, imported, output))
    return 0


def _output(source: Path, requested: Path | None) -> Path:
    """Return the file to write; ConfigError if it exists already."""
    name = source.resolve().name.split(".")[0] or "data"
    output = requested or Path(f"{name}.npz")
    if requested is None and source.is_file() and output.exists() and output.samefile(source):
        output = Path(f"{name}_imported.npz")
    if output.suffix != ".npz":
        raise ConfigError(f"--output {output}: must end in .npz")
    if output.exists():
        raise ConfigError(f"--output {output}: exists already; remove it, or choose another name")
    return output


def _facts(imported: "Imported", output: Path) -> dict[str, Any]:
    content = imported.content
    return {
        "format": imported.format,
        "output": str(output),
        "shape": list(content.shape),
        "classes": list(content.class_names),
        "examples": {name: _counts(content)[name] for name in content.splits},
        "notes": _notes(imported),
        "command": _command(content, output),
    }


def _text(source: Path, imported: "Imported", output: Path) -> str:
    from ltr.data.images import described

    content = imported.content
    counts = _counts(content)
    classes = number_of(len(content.class_names), "class", "classes")
    splits = ", ".join(f"{sum(count):,} {name}" for name, count in counts.items())
    return "\n".join(
        [
            f"{source}: {imported.format}",
            _table(content.class_names, counts),
            f"{splits} images of {described(content.shape)}; {classes}",
            *_notes(imported),
            "",
            f"written to {output}; to find tickets in it, type:",
            f"  {_command(content, output)}",
        ]
    )


def _notes(imported: "Imported") -> list[str]:
    from ltr.data.content import probable_mistakes

    return [*imported.notes, *probable_mistakes(imported.content)]


def _counts(content: "Content") -> dict[str, list[int]]:
    """Return the number of examples of each class in each split."""
    import numpy as np

    classes = len(content.class_names)
    return {
        name: np.bincount(split.labels, minlength=classes).tolist() for name, split in content.splits.items()
    }


def _table(class_names: tuple[str, ...], counts: dict[str, list[int]]) -> str:
    from ltr.report.text_table import Column, table

    columns = [Column("class"), *(Column(split, is_number=True) for split in counts)]
    rows = zip(class_names, *counts.values(), strict=True)
    return table(columns, ([name, *(f"{count:,}" for count in split_counts)] for name, *split_counts in rows))


def _command(content: "Content", output: Path) -> str:
    from ltr.data.images import is_channels_first

    words = ["ltr", "run", "dataset=custom", f"dataset.path={output}"]
    if content.validation is None:
        examples = len(content.train.labels)
        words.append(f"dataset.validation={max(len(content.class_names), round(_VALIDATION * examples))}")
    if is_channels_first(content.train.images.shape):
        words.append("dataset.layout=channels_last")
    return shlex.join(words)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be more than 0 and less than 1")
    return value


def _size(text: str) -> tuple[int, ...]:
    return _dimensions(text, (2,), "HEIGHTxWIDTH, as in 32x32")


def _shape(text: str) -> tuple[int, ...]:
    return _dimensions(text, (2, 3), "HEIGHTxWIDTH or three dimensions, as in 28x28 or 32x32x3")


def _dimensions(text: str, counts: tuple[int, ...], allowed: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)+", text) or text.count("x") + 1 not in counts:
        raise argparse.ArgumentTypeError(f"{text} must be {allowed}")
    return tuple(map(int, text.split("x")))
