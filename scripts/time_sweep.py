"""Time a sweep of this tree beside the same sweep of another commit, and compare their tables.

python scripts/time_sweep.py COMMIT [KNOB=VALUES ...]

Each tree runs the sweep once to fill its caches, and then three times in turn; medians count. Both have the
break-even densities that this tree measures, which decide the layers that train packed, hence last bits of
all tables. The exit code is 1 if a table of results or metrics differs.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from ltr.benchmark.source_tree import SourceTree, build_kernels, run_python, this_and

SWEEP = ("seed=0,1,2,3,4,5,6,7", "prune_rate=0.2,0.4", "rounds=3", "replicates=1", "steps=300")

REPEATS = 3

MAIN = "import sys; from ltr.cli import main; sys.exit(main())"


def seconds(tree: SourceTree, words: list[str], root: Path) -> float:
    """Run the sweep of a tree below a new folder; return its wall-clock seconds."""
    environment = os.environ | {"PYTHONPATH": str(tree.root), "XDG_CACHE_HOME": str(tree.caches)}
    began = time.monotonic()
    done = run_python(["-c", MAIN, "run", "-m", *words, f"output_root={root}"], env=environment)
    if done.returncode:
        sys.exit(f"{tree.name}: {done.stderr}")
    return time.monotonic() - began


def share_break_even(giver: SourceTree, taker: SourceTree) -> None:
    """Copy the break-even densities that a tree measured to another."""
    measured, other = (tree.caches / "ltr" / "break_even.json" for tree in (giver, taker))
    other.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(measured, other)


def tables(root: Path) -> dict[Path, bytes]:
    """Return the tables of all runs below a folder that repeat bit for bit."""
    names = ("results", "metrics")
    return {
        file.relative_to(root): file.read_bytes() for name in names for file in root.glob(f"*/{name}.parquet")
    }


def compare(commit: str, words: list[str], folder: Path) -> int:
    """Print the seconds of both trees and their ratio; return the number of tables that differ."""
    with this_and(commit) as trees:
        taken: dict[str, list[float]] = {tree.name: [] for tree in trees}
        for tree in trees:
            build_kernels(tree)
        for repeat in range(REPEATS + 1):
            for tree in trees:
                root = folder / tree.name.replace(" ", "_") / str(repeat)
                lasted = seconds(tree, words, root)
                taken[tree.name] += [lasted] if repeat else []
                share_break_even(*trees)
                print(f"{tree.name}: {lasted:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)
        ours, theirs = (tables(folder / tree.name.replace(" ", "_") / "0") for tree in trees)
    this, other = (statistics.median(times) for times in taken.values())
    unlike = [file for file in ours.keys() | theirs.keys() if ours.get(file) != theirs.get(file)]
    print(f"medians: {this:.1f} s, {commit} {other:.1f} s: {other / this:.2f} times as fast")
    print(f"tables: {len(ours)}, of which {len(unlike)} differ")
    return len(unlike)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ltr-") as below:
        sys.exit(compare(sys.argv[1], sys.argv[2:] or [*SWEEP], Path(below)) > 0)
