"""Training speed of this source tree beside that of another commit.

The trees take turns, each in a process of its own, and change their order from turn to turn. A slow phase of
the machine thus affects both alike, and each measurement has other addresses in memory.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ltr.benchmark.source_tree import SourceTree, build_kernels, run_python, this_and
from ltr.errors import ConfigError, LtrError
from ltr.report.progress import duration

COMMAND_LINE = """
import os, sys
import ltr
if not ltr.__file__.startswith(os.environ["PYTHONPATH"]):
    sys.exit(f"ltr is imported from {ltr.__file__}")
sys.modules["torch"] = None
from ltr.cli import main
sys.exit(main())
"""
"""Program that runs the command line of the tree in PYTHONPATH, as if PyTorch were not installed.

It uses only what old commits have too.
"""

PROGRAMS = ("dense", "packed")
"""Speeds that `ltr bench --json` has in every commit."""

Measure = Callable[[SourceTree], dict[str, Any]]
"""Measures a tree once: the output of its `ltr bench --json`."""


class Row(NamedTuple):
    """Training steps per second of both trees, all cores together.

    Attributes:
        density: density of every layer.
        program: one of `PROGRAMS`.
        here: median of this tree.
        there: median of the commit.
        ratio: median over the turns of the speed of this tree, relative to that of the commit.
        least, most: smallest and largest of these ratios.
    """

    density: float
    program: str
    here: float
    there: float
    ratio: float
    least: float
    most: float


def against(
    commit: str, words: Sequence[str], repeats: int, on_status: Callable[[str], None]
) -> dict[str, Any]:
    """Build a commit and compare this tree with it; return plain data.

    Args:
        commit: commit of this clone, as git names it.
        words: command line of `ltr bench`, the same for both trees.
        repeats: number of turns.
        on_status: callback with a line on the current work.

    Raises:
        ConfigError: there is no such commit, or its `ltr bench` refuses the words.
        LtrError: the kernels of a tree cannot be built, or its benchmark fails.
    """
    with this_and(commit) as (here, there):
        for tree in (here, there):
            on_status(f"{tree.name}: building the kernels")
            build_kernels(tree)
        turns = take_turns(here, there, lambda tree: measured(tree, words), repeats, on_status)
        first, _ = turns[0]
        return {
            "machine": first["machine"],
            "against": there.name,
            "turns": repeats,
            "rows": [row._asdict() for row in rows(turns)],
        }


def take_turns(
    here: SourceTree,
    there: SourceTree,
    measure: Measure,
    repeats: int,
    on_status: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Measure both trees `repeats` times, in alternating order; return the results of each turn."""
    turns, left = [], ""
    for turn in range(repeats):
        results = {}
        for number, tree in enumerate((here, there) if turn % 2 == 0 else (there, here), 2 * turn):
            on_status(f"turn {turn + 1}/{repeats}: {tree.name}{left}")
            began = clock()
            results[tree] = measure(tree)
            left = f", about {duration((2 * repeats - number - 1) * (clock() - began))} left"
        turns.append((results[here], results[there]))
    return turns


def measured(tree: SourceTree, words: Sequence[str]) -> dict[str, Any]:
    """Measure a tree once, in a process of its own.

    Raises:
        ConfigError: its `ltr bench` refuses the words.
        LtrError: it fails, or prints something else than expected.
    """
    own = {"PYTHONPATH": str(tree.root), "XDG_CACHE_HOME": str(tree.caches)}
    done = run_python(["-c", COMMAND_LINE, "bench", "--json", "--repeats=1", *words], env=os.environ | own)
    *_, said = ["nothing", *done.stderr.strip().splitlines()]
    if done.returncode == ConfigError.exit_code:
        raise ConfigError(f"{tree.name} refuses these words: {said}")
    try:
        result = json.loads(done.stdout)
        return {"machine": result["machine"], "rows": result["rows"]}
    except (ValueError, KeyError, TypeError):
        raise LtrError(
            f"{tree.name}: its ltr bench ended with status {done.returncode} and says: {said}"
        ) from None


def rows(turns: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[Row]:
    """Return the medians and ratios of each density and program."""
    densities = [row["density"] for row in turns[0][0]["rows"]]
    return [
        _row(density, program, [[tree["rows"][number][program] for tree in turn] for turn in turns])
        for number, density in enumerate(densities)
        for program in PROGRAMS
    ]


def _row(density: float, program: str, speeds: Sequence[Sequence[float]]) -> Row:
    """Return a row from the speeds of both trees in each turn."""
    here, there = map(statistics.median, zip(*speeds, strict=True))
    ratios = [one / other for one, other in speeds]
    return Row(density, program, here, there, statistics.median(ratios), min(ratios), max(ratios))
