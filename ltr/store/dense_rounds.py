"""Dense rounds that runs share: the first trainings of runs that differ only in what comes after.

A folder of the cache has a file for each kind of dense round below an output root. It names the run folder
that trained one last.
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


def key(experiment: Experiment, computed_by: Mapping[str, Any]) -> str | None:
    """Return the key of the dense round of an experiment; None if no other run can have the same.

    That of a run with the tickets of another run starts from their weights. With `early_bird` it notes when
    the next mask could be drawn, which depends on the pruning.

    `computed_by`: all that changes its last bits: processor, versions, order of operations.
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
        atomic.write_bytes(file, folder.path.name.encode())


def adopt(folder: RunFolder, replicates: Sequence[int], dense_key: str) -> tuple[str, list[int]] | None:
    """Copy the dense trainings that another run below the same output root has and this one lacks.

    Args:
        folder: open folder of the run.
        replicates: replicates that it lacks.
        dense_key: its key.

    Returns:
        The name of the other run's folder, and the replicates; None without any. What is damaged, missing or
        has no result is not taken.
    """
    try:
        name = _file(folder.path.parent, dense_key).read_text().strip()
    except OSError:
        return None
    other = folder.path.parent / name
    if Path(name).name != name or other == folder.path:
        return None
    try:
        return (name, found) if (found := _copy(folder, replicates, other)) else None
    except (LtrError, OSError):
        return None


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


def _file(root: Path, dense_key: str) -> Path:
    """Return the file of a kind of dense round below an output root."""
    of_root = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]
    return cache_paths.dense_rounds() / f"{of_root}-{dense_key}"
