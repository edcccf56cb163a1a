"""Processes killed at random moments and at every boundary, until the run ends as one that was left alone."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from ltr.store.catalog import CHECKPOINTS
from ltr.store.groups import Groups
from tests.kills import victim

VICTIM = Path(victim.__file__)
KILLS = 20
"""Least number of kills of each kind of run."""

LAST_BOUNDARY = 12
"""Highest number of a boundary at which a process is killed."""

SMALL = ("rounds=2", "replicates=2", "steps=300", "eval_every=50", "checkpoint_every=0.01")
SHORT = ("rounds=1", "replicates=1", "steps=40", "arms=[ticket]", "sparse=never")
KINDS = {
    "dense": ("arms=[ticket,random_reinit]", "sparse=never"),
    "packed": ("arms=[ticket,random_mask]", "sparse=always", "prune_rate=0.7"),
    "convolutional": (
        *("model=wide_resnet", "model.blocks=1", "model.width=0.1", "dataset.augmentation=crop_flip"),
        *("steps=40", "eval_every=20", "arms=[ticket,random_reinit]"),
    ),
    "rewound": ("rewind_step=50", "arms=[ticket]"),
    "transfer": ("ticket=last", "seed=5", "arms=[ticket,random_mask]", "sparse=never"),
    "sweep": ("-m", "seed=1,2", "rounds=1", "arms=[ticket]", "sparse=never"),
}


class Victims:
    """Processes of `ltr run` below a folder; they share compiled programs.

    Attributes:
        root: output root.
        words: words of each command.
    """

    def __init__(self, root: Path, cache: Path, words: tuple[str, ...]) -> None:
        self.root, self.words = root, words
        self._environment = os.environ | {
            "JAX_COMPILATION_CACHE_DIR": str(cache),
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",
        }

    def start(self, number: int = 0, when: str = "before", memory: str = "kept") -> "subprocess.Popen[str]":
        """Start a process that is killed at a boundary (see `victim.py`), at none if `number` is 0."""
        return subprocess.Popen(
            [
                sys.executable,
                VICTIM,
                str(number),
                when,
                memory,
                "run",
                f"output_root={self.root}",
                *self.words,
            ],
            cwd=self.root,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, **how: Any) -> float:
        """Run to the end; return the seconds that it took."""
        began = time.monotonic()
        process = self.start(**how)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        return time.monotonic() - began

    def storm(self, generator: random.Random, seconds: float) -> int:
        """Kill processes until one ends by itself; return how many were killed.

        Args:
            generator: draws whether each is killed at a boundary or at a moment, and which.
            seconds: about as long as an undisturbed process takes.
        """
        kills = 0
        while True:
            at_boundary = generator.random() < 0.7
            number = generator.randint(1, LAST_BOUNDARY) if at_boundary else 0
            process = self.start(number, generator.choice(["before", "after"]))
            try:
                _, errors = process.communicate(timeout=None if number else generator.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                process.kill()
                _, errors = process.communicate()
            if process.returncode == 0:
                return kills
            assert process.returncode == -signal.SIGKILL, errors
            kills += 1


def state(root: Path) -> dict[str, Any]:
    """Everything of the runs below a folder that is kept for good, by name: bytes of tables, and arrays."""
    found: dict[str, Any] = {}
    for folder in sorted(root.glob("digits-*")):
        for table in ("metrics.parquet", "results.parquet"):
            found[f"{folder.name}/{table}"] = (folder / table).read_bytes()
        groups = Groups(folder / CHECKPOINTS)
        for name in ("initial", "round_00", "round_01", "round_02"):
            for replicate in sorted(groups.members(name)):
                leaves = jax.tree_util.tree_leaves_with_path(groups.load(name, replicate))
                place = f"{folder.name}/{name}/{replicate}"
                found |= {
                    place + jax.tree_util.keystr(path): np.asarray(leaf).tobytes() for path, leaf in leaves
                }
    return found


def difference(root: Path, other: Path) -> list[str]:
    """Names of what differs between the runs below two folders."""
    mine, theirs = state(root), state(other)
    assert mine
    return sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))


@pytest.fixture
def victims(tmp_path: Path) -> Callable[..., Victims]:
    """Makes processes of a kind of run below a new folder; a transfer has a run to take its tickets from."""

    def make(kind: str, name: str) -> Victims:
        root = tmp_path / name
        root.mkdir()
        if kind == "transfer":
            Victims(root, tmp_path / "cache", (*SMALL, *KINDS["dense"])).end()
        return Victims(root, tmp_path / "cache", (*SMALL, *(SHORT if kind == "short" else KINDS[kind])))

    return make


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_a_storm_of_kills_changes_nothing(kind: str, victims: Callable[..., Victims]) -> None:
    alone = victims(kind, "alone")
    alone.end()
    seconds = victims(kind, "warm").end()
    generator, kills, storms = random.Random(kind), 0, 0
    while kills < KILLS:
        stormy = victims(kind, f"storm_{storms}")
        kills += stormy.storm(generator, seconds)
        assert difference(stormy.root, alone.root) == []
        storms += 1
    print(f"{kind}: {kills} kills in {storms} storms, each ended as the run that was left alone")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_kill_at_every_boundary_changes_nothing(victims: Callable[..., Victims]) -> None:
    """Before and after each of them, in a folder of its own."""
    alone = victims("short", "alone")
    alone.end()
    for number in itertools.count(1):
        for when in ("before", "after"):
            killed = victims("short", f"{number}_{when}")
            process = killed.start(number, when)
            _, errors = process.communicate()
            if process.returncode == 0:
                print(f"{number - 1} boundaries, a kill before and after each")
                assert number > len(victim.BOUNDARIES)
                return
            assert process.returncode == -signal.SIGKILL, errors
            killed.end()
            assert difference(killed.root, alone.root) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_data_order_that_is_forgotten_is_noticed(victims: Callable[..., Victims]) -> None:
    """If not, the tests above prove nothing."""
    alone, forgetful = victims("dense", "alone"), victims("dense", "forgetful")
    alone.end()
    under_way = "*/checkpoints/under_way"
    for number in range(1, 40):
        process = forgetful.start(number, "after", "kept")
        process.communicate()
        if process.returncode == 0 or [*forgetful.root.glob(under_way)]:
            break
    assert [*forgetful.root.glob(under_way)]
    forgetful.end(memory="forgotten")
    assert "metrics" in " ".join(difference(forgetful.root, alone.root))
