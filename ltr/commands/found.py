"""What commands that look for runs take alike."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.errors import ConfigError

if TYPE_CHECKING:
    from ltr.loaded import LoadedRun


def add_run(parser: argparse.ArgumentParser) -> None:
    """Take RUN, for `ltr.store.catalog.find`."""
    parser.add_argument("run", metavar="RUN", help="a run's folder, id or the beginning of it, or last")


def add_output_root(parser: argparse.ArgumentParser) -> None:
    """Take --output-root, where to look."""
    parser.add_argument(
        "--output-root",
        type=Path,
        default=Path("outputs"),
        help="folder of the run folders (default: outputs)",
    )


def load_different(names: Sequence[str], output_root: Path) -> "list[LoadedRun]":
    """The runs of these names; ConfigError where two names are of one run."""
    from ltr import loaded

    runs = [loaded.load(name, output_root) for name in names]
    seen: dict[Path, str] = {}
    for name, run in zip(names, runs, strict=True):
        if other := seen.get(run.folder.resolve()):
            raise ConfigError(f"{other}, {name}: both are {run.folder}; name different runs")
        seen[run.folder.resolve()] = name
    return runs
