"""What runs keep for good, to be compared bit for bit."""

from pathlib import Path

import jax
import numpy as np

from ltr.store.catalog import CHECKPOINTS, all_runs
from ltr.store.groups import Groups


def kept(root: Path) -> dict[str, bytes]:
    """Status, tables and arrays of the runs below a folder, by name; not the times."""
    found: dict[str, bytes] = {}
    for run in all_runs(root):
        name = run.folder.name
        found[f"{name}: status"] = run.status.encode()
        for table in ("metrics.parquet", "results.parquet"):
            found[f"{name}/{table}"] = (run.folder / table).read_bytes()
        groups = Groups(run.folder / CHECKPOINTS)
        for saved in sorted({path.parent.name for path in groups.paths()}):
            for replicate in sorted(groups.members(saved)):
                place = f"{name}/{saved}/{replicate}"
                leaves = jax.tree_util.tree_leaves_with_path(groups.load(saved, replicate))
                found |= {
                    place + jax.tree_util.keystr(path): np.asarray(leaf).tobytes() for path, leaf in leaves
                }
    return found


def difference(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """Names of what differs; AssertionError if nothing is expected."""
    assert expected
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
