"""Pytrees of consecutive replicates, saved together in `<name>/<first>-<last>`.

More replicates add a second group beside the first.
"""

import itertools
import logging
import operator
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ltr.errors import LtrError
from ltr.store import checkpoints

log = logging.getLogger(__name__)

_GROUP = re.compile(r"\d+-\d+")
"""Name of a group: its first and its last replicate."""


class Groups:
    """Checkpoints of a run by name ("initial", "round_00", ...) and replicate."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._kept: dict[str, dict[int, Any]] = {}

    def save(self, name: str, trees: Mapping[int, Any]) -> None:
        """Save pytrees (NumPy arrays, None) by replicate under a name."""
        for members in _consecutive(trees):
            stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *[trees[number] for number in members])
            checkpoints.save(self._root / name / f"{members[0]}-{members[-1]}", stacked, {})
        self._keep(name, trees)

    def load(self, name: str, replicate: int) -> Any:
        """Return the pytree of a replicate under a name; KeyError if there is none."""
        if replicate not in self._kept.get(name, {}):
            for path in self._paths(name):
                if replicate in (members := _members(path)):
                    self._keep(name, dict(zip(members, _unstacked(path, len(members)), strict=True)))
        return self._kept[name][replicate]

    def drop_damaged(self) -> None:
        """Finish interrupted saves, and delete damaged checkpoints; warn of those that were once complete."""
        checkpoints.settle(self._root)
        for path in sorted(self._root.glob("*/*-*")):
            if not checkpoints.is_whole(path):
                if checkpoints.is_complete(path):
                    log.warning("checkpoint %s is damaged and is made again", path)
                checkpoints.remove(path)

    def require_whole(self) -> None:
        """Raise LtrError for the first damaged checkpoint; one that is being written is not there yet."""
        for path in self._paths("*"):
            if not checkpoints.is_whole(path):
                raise LtrError(f"{path}: damaged; repeat the command of the run to recreate it")

    def members(self, name: str) -> set[int]:
        """Return the replicates that have a pytree under a name."""
        return {number for path in self._paths(name) for number in _members(path)}

    def _paths(self, name: str) -> list[Path]:
        """Return the checkpoints under a name, or under names that match a pattern; unfinished ones not."""
        return sorted(path for path in self._root.glob(f"{name}/*-*") if _GROUP.fullmatch(path.name))

    def _keep(self, name: str, trees: Mapping[int, Any]) -> None:
        """Cache what later rounds read: the initial weights, the dense round and the latest round."""
        for other in set(self._kept) - {"initial", "round_00", name}:
            del self._kept[other]
        self._kept[name] = self._kept.get(name, {}) | dict(trees)


def _consecutive(replicates: Iterable[int]) -> list[list[int]]:
    """Split replicates into consecutive ones, {0, 1, 3} into [[0, 1], [3]]; damage can leave gaps."""
    runs = itertools.groupby(enumerate(sorted(replicates)), lambda pair: pair[1] - pair[0])
    return [[replicate for _, replicate in run] for _, run in runs]


def _members(path: Path) -> range:
    first, last = map(int, path.name.split("-"))
    return range(first, last + 1)


def _unstacked(path: Path, count: int) -> list[Any]:
    stacked = checkpoints.load(path)
    return [jax.tree.map(operator.itemgetter(index), stacked) for index in range(count)]
