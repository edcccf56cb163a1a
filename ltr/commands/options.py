"""Options that several commands share, and the runs that they name."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.addresses import ALLOWED, is_address, is_allowed, local
from ltr.report import console
from ltr.store.catalog import find, require_different

if TYPE_CHECKING:
    from ltr.api.loaded import LoadedRun


def add_run(parser: argparse.ArgumentParser) -> None:
    """Declare the argument RUN (see `ltr.store.catalog.find`)."""
    meaning = "a run's folder, its id or the beginning of either, or last"
    parser.add_argument("run", metavar="RUN", help=meaning)


def load(name: str, output_root: Path) -> "LoadedRun":
    """Load a run as `ltr.load` does; a missing run raises ConfigError before pandas is imported."""
    run = find(output_root, name)
    from ltr.api.loaded import LoadedRun

    return LoadedRun(run)


def path(text: str) -> Path:
    """Return a path, as a type of argparse; `~` is the home folder, which shells do not expand after `=`."""
    if is_address(text):
        raise argparse.ArgumentTypeError(f"{text}: must be a path of this machine, and no address")
    return Path(text).expanduser()


def folder(text: str) -> Path:
    """Return an existing folder, as a type of argparse."""
    if not (existing := path(text)).is_dir():
        raise argparse.ArgumentTypeError(f"{text}: no such folder")
    return existing


def root(text: str) -> Path:
    """Return an existing folder, or the working copy of an address, as a type of argparse."""
    if not is_allowed(text):
        raise argparse.ArgumentTypeError(f"{text}: must be {ALLOWED}")
    return local(text) if is_address(text) else folder(text)


def add_output_root(parser: argparse.ArgumentParser) -> None:
    """Declare --output-root."""
    parser.add_argument(
        "--output-root",
        type=root,
        default=Path("outputs"),
        help="folder of the run folders, or its address in a bucket (default: outputs)",
    )


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Declare --data-dir; the folder that a run names, which may be anybody's, is not used."""
    parser.add_argument(
        "--data-dir",
        help="folder of prepared data, or its address (default: TFDS_DATA_DIR, or ~/tensorflow_datasets)",
    )


def data_dir(args: argparse.Namespace, run: "LoadedRun") -> str | None:
    """Return the folder of --data-dir; without it None, and say if the run was trained with another one."""
    if args.data_dir is not None:
        return args.data_dir
    if trained_with := run.run.config.get("data_dir"):
        message = f"the run's data_dir={trained_with} is not used; to use it, type --data-dir {trained_with}"
        console.note(f"ltr {args.command}: {message}")
    return None


def load_different(names: Sequence[str], output_root: Path) -> "list[LoadedRun]":
    """Load several runs by name; ConfigError if two names are of the same run."""
    runs = [load(name, output_root) for name in names]
    require_different(names, [run.folder for run in runs])
    return runs
