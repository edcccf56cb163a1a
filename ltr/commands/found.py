"""What commands that look for runs take alike."""

import argparse
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.store.catalog import find

if TYPE_CHECKING:
    from ltr.config import Experiment
    from ltr.loaded import LoadedRun


def add_run(parser: argparse.ArgumentParser) -> None:
    """Take RUN, for `ltr.store.catalog.find`."""
    meaning = "a run's folder, its id or the beginning of either, or last"
    parser.add_argument("run", metavar="RUN", help=meaning)


def load(name: str, output_root: Path) -> "LoadedRun":
    """`ltr.load`, which says that there is no such run before it imports what reads one."""
    run = find(output_root, name)
    from ltr.loaded import LoadedRun

    return LoadedRun(run)


def _folder(text: str) -> Path:
    """A folder that is there; that of a default may not be yet."""
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: no such folder")
    return folder


def add_output_root(parser: argparse.ArgumentParser) -> None:
    """Take --output-root, where to look."""
    parser.add_argument(
        "--output-root",
        type=_folder,
        default=Path("outputs"),
        help="folder of the run folders (default: outputs)",
    )


SHARED = ("seed", "ticket", "batch_size", "dataset.", "model.")
"""How the knobs begin that, where they are the same, make replicates start from the same weights."""


def shared(experiment: "Experiment") -> dict[str, Any]:
    """The knobs that decide what replicates start from: of equal runs, differences are paired."""
    from ltr.store.identity import decisive

    return {name: value for name, value in decisive(experiment).items() if name.startswith(SHARED)}


def settings(experiment: "Experiment") -> dict[str, Any]:
    """The knobs that are not at their default, by dotted name; of arms, those that were asked for."""
    from ltr.config import Arm, Experiment, to_dict

    schema = Experiment()
    arms = {name: schema.arm.get(name, Arm()) for name in experiment.arms}
    default = dict(_flat(to_dict(dataclasses.replace(schema, arm=arms))))
    asked = dataclasses.replace(experiment, arm={name: experiment.arm.get(name, Arm()) for name in arms})
    return {name: value for name, value in _flat(to_dict(asked)) if value != default[name]}


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
