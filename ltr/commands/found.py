"""What commands that look for runs take alike."""

import argparse
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.errors import LtrError
from ltr.store.catalog import DAMAGED, INFO, Run, find

if TYPE_CHECKING:
    import pandas as pd

    from ltr.config import Experiment


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


def find_readable(output_root: Path, name: str) -> Run:
    """The run of that name; ConfigError if there is none, LtrError if it is damaged."""
    run = find(output_root, name)
    if run.info["status"] == DAMAGED:
        raise LtrError(f"{run.folder / INFO}: damaged")
    return run


def results_of(run: Run, experiment: "Experiment") -> "pd.DataFrame":
    """The rows of its results table that the experiment asks for; LtrError if it cannot be read."""
    from ltr.analysis.summary import select
    from ltr.store import tables

    try:
        return select(tables.read(run.folder, "results"), experiment)
    except (OSError, ValueError) as error:
        raise LtrError(f"{run.folder / 'results.parquet'}: cannot be read: {error}") from error


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
