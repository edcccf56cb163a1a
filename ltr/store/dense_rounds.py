"""Dense rounds that runs share: the first trainings of runs that differ only in what comes after.

A folder of the cache has a file for each kind of dense round below an output root. It names the run
folders that have one, the newest first.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ltr.config.schema import Experiment
from ltr.core import atomic, cache_paths
from ltr.errors import LtrError
from ltr.store import catalog, tables
from ltr.store.chains import has_result
from ltr.store.folder import RunFolder, round_name
from ltr.store.groups import INITIAL, Groups
from ltr.store.identity import decisive

DECISIVE = ("seed", "steps", "batch_size", "eval_every", "rewind_step", "test_curves")
"""Knobs that decide a dense round, with those below `GROUPS`."""

GROUPS = ("dataset.", "model.", "optimizer.")
"""Prefixes of further knobs that decide a dense round."""

MOST = 16
"""Largest number of run folders that a file names."""


def key(experiment: Experiment, computed_by: Mapping[str, Any]) -> str | None:
    """Return the key of the dense round of an experiment; None if no other run can have the same.

    That of a run with the tickets of another run starts from their weights. With `early_bird` it notes when
    the next mask could be drawn, which depends on the pruning.

    `computed_by`: all else that it depends on: code, versions, and the order of operations.
    """
    if experiment.ticket is not None or experiment.early_bird:
        return None
    knobs = {
        name: value
        for name, value in decisive(experiment).items()
        if name in DECISIVE or name.startswith(GROUPS)
    }
    text = json.dumps([knobs, dict(computed_by)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def offer(folder: RunFolder, dense_key: str) -> None:
    """Name a run folder as one that has the dense round of a key; without the right to write, do nothing."""
    with contextlib.suppress(OSError):
        file = _file(folder.path.parent, dense_key)
        file.parent.mkdir(parents=True, exist_ok=True)
        names = dict.fromkeys([folder.path.name, *_names(file)])
        atomic.write_bytes(file, "\n".join([*names][:MOST]).encode())


def adopt(folder: RunFolder, replicates: Sequence[int], dense_key: str) -> dict[str, list[int]]:
    """Copy the dense trainings that other runs below the same output root have and this one lacks.

    What is damaged, missing or has no result is not taken.

    Args:
        folder: open folder of the run.
        replicates: replicates without initial weights.
        dense_key: its key.

    Returns:
        The replicates that were taken, by the name of the other run's folder.
    """
    trained = set(folder.frames["results"]["replicate"])
    lacking = [replicate for replicate in replicates if replicate not in trained]
    taken = {}
    for name in _names(_file(folder.path.parent, dense_key)):
        other = folder.path.parent / name
        if lacking and Path(name).name == name and other != folder.path:
            with contextlib.suppress(LtrError, OSError):
                if found := _copy(folder, lacking, other):
                    taken[name] = found
                    lacking = [replicate for replicate in lacking if replicate not in found]
    return taken


def _copy(folder: RunFolder, replicates: Sequence[int], other: Path) -> list[int]:
    """Copy weights, then rows, of the dense trainings of another run; return their replicates."""
    frames = {table: tables.read(other, table) for table in tables.LANES}
    is_dense = {
        table: (frame["round"] == 0) & (frame["arm"] == "ticket") & frame["replicate"].isin([*replicates])
        for table, frame in frames.items()
    }
    rows = {table: frame[is_dense[table]] for table, frame in frames.items()}
    groups = Groups(other / catalog.CHECKPOINTS)
    whole = set(rows["results"].loc[has_result(rows["results"]), "replicate"])
    found = sorted(whole & groups.members(INITIAL) & groups.members(round_name(0)))
    if not found:
        return []
    for group in (INITIAL, round_name(0)):
        folder.save(group, {replicate: groups.load(group, replicate) for replicate in found})
    folder.commit({table: frame[frame["replicate"].isin(found)] for table, frame in rows.items()})
    return found


def _names(file: Path) -> list[str]:
    """Return the names of run folders in a file, the newest first; none if it cannot be read."""
    try:
        return file.read_text().split("\n")
    except (OSError, ValueError):
        return []


def _file(root: Path, dense_key: str) -> Path:
    """Return the file of a kind of dense round below an output root."""
    of_root = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]
    return cache_paths.dense_rounds() / f"{of_root}-{dense_key}"
