"""Pytrees of consecutive replicates, saved together in `<name>/<first>-<last>.zip`.

More replicates add a second group beside the first.
"""

import itertools
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from ltr.core import masks
from ltr.core.likeness import difference
from ltr.core.types import LayerTypes
from ltr.errors import LtrError
from ltr.store import archive, catalog, checkpoints
from ltr.store.damage import DAMAGED, MISSING, DamageError

INITIAL = "initial"
"""Name of the weights before any training, and of those at the rewind step."""

_GROUP = re.compile(rf"\d+-\d+({re.escape(archive.ENDING)})?")
"""Name of a group: its first and its last replicate; earlier versions wrote folders, without the ending."""


class Groups:
    """Checkpoints of a run by name ("initial", "round_00", ...) and replicate.

    Args:
        root: folder of the checkpoints.
        run: folder of the run; by default the one that holds `root`.
        noun: what is lost with a checkpoint that is not `INITIAL`.
    """

    def __init__(self, root: Path, run: Path | None = None, noun: str = "tickets") -> None:
        self._root, self._run, self._noun = root, run or root.parent, noun
        self._kept: dict[str, dict[int, Any]] = {}
        self._network: dict[str, PyTree] = {}

    def expect(self, params: PyTree[jax.ShapeDtypeStruct], layer_types: LayerTypes) -> None:
        """Require of every pytree that is loaded the names, shapes and types of a network's parameters.

        Args:
            params: shapes and types of the parameters.
            layer_types: like the parameters: None for those that have no mask.
        """
        mask = masks.tree_map(
            lambda kind, leaf: None if kind is None else jax.ShapeDtypeStruct(leaf.shape, bool),
            layer_types,
            params,
        )
        self._network = dict.fromkeys((INITIAL, "origin", "start", "trained"), params)
        self._network |= dict.fromkeys(("mask", "inverted"), mask)

    def save(self, name: str, trees: Mapping[int, Any]) -> None:
        """Save pytrees (NumPy arrays, None) by replicate under a name."""
        for members in _consecutive(trees):
            stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *[trees[number] for number in members])
            checkpoints.save(self._root / name / f"{members[0]}-{members[-1]}{archive.ENDING}", stacked, {})
        self._keep(name, trees)

    def load(self, name: str, replicate: int) -> Any:
        """Return the pytree of a replicate under a name.

        Raises:
            DamageError: it is missing or damaged.
            LtrError: it is not of the network that `expect` was called with.
        """
        if replicate not in self._kept.get(name, {}):
            for path in self.paths(name):
                if replicate in (members := _members(path)):
                    if not checkpoints.is_whole(path):
                        raise self._damage(name, members, path, DAMAGED)
                    trees = _unstacked(path, len(members))
                    self._require_network(path, trees[0])
                    self._keep(name, dict(zip(members, trees, strict=True)))
        if replicate not in self._kept.get(name, {}):
            raise self._damage(name, [replicate], self._root / name, MISSING)
        return self._kept[name][replicate]

    def damaged(self) -> list[DamageError]:
        """Return an error for each damaged checkpoint; one that is being written is not there yet."""
        return [
            self._damage(path.parent.name, _members(path), path, DAMAGED)
            for path in self.paths()
            if not checkpoints.is_whole(path)
        ]

    def missing(self, wanted: Mapping[str, set[int]]) -> list[DamageError]:
        """Return an error for each name that lacks a checkpoint of one of its wanted replicates."""
        lacking = {name: sorted(replicates - self.members(name)) for name, replicates in wanted.items()}
        return [
            self._damage(name, replicates, self._root / name, MISSING)
            for name, replicates in lacking.items()
            if replicates
        ]

    def require_whole(self, wanted: Mapping[str, set[int]]) -> None:
        """Raise DamageError for the first checkpoint that is damaged, or wanted and missing."""
        for error in (*self.damaged(), *self.missing(wanted)):
            raise error

    def members(self, name: str) -> set[int]:
        """Return the replicates that have a pytree under a name."""
        return {number for path in self.paths(name) for number in _members(path)}

    def paths(self, name: str = "*") -> list[Path]:
        """Return the checkpoints under a name, or under names that match a pattern; unfinished ones not."""
        return sorted(path for path in self._root.glob(f"{name}/*-*") if _GROUP.fullmatch(path.name))

    def _require_network(self, path: Path, tree: Mapping[str, PyTree]) -> None:
        """Raise LtrError if the arrays of a loaded pytree are not those of the network."""
        for part, wanted in self._network.items():
            if part in tree and (unlike := difference(tree[part], wanted)):
                raise LtrError(
                    f"{path}: {part}.{unlike}; the network has changed since: restore its code, or choose "
                    "another output_root"
                )

    def _damage(self, name: str, replicates: Sequence[int], path: Path, problem: str) -> DamageError:
        """Return the error for a checkpoint that is damaged or missing."""
        runs = [f"{run[0]}-{run[-1]}" if run[1:] else f"{run[0]}" for run in _consecutive(replicates)]
        of_replicates = f"of {'replicates' if replicates[1:] else 'replicate'} {', '.join(runs)}"
        command = catalog.command(self._run)
        lost, again = f"the initial weights {of_replicates}", f"{command} draws them again"
        if name != INITIAL:
            lost, again = f"the {self._noun} of {name} {of_replicates}", f"{command} trains them again"
        return DamageError(path, problem, lost, f"restore it from a copy, or {again}")

    def _keep(self, name: str, trees: Mapping[int, Any]) -> None:
        """Cache what later rounds read: the initial weights, the dense round and the latest round."""
        for other in set(self._kept) - {INITIAL, "round_00", name}:
            del self._kept[other]
        self._kept[name] = self._kept.get(name, {}) | dict(trees)


def _consecutive(replicates: Iterable[int]) -> list[list[int]]:
    """Split replicates into consecutive ones, {0, 1, 3} into [[0, 1], [3]]; damage can leave gaps."""
    runs = itertools.groupby(enumerate(sorted(replicates)), lambda pair: pair[1] - pair[0])
    return [[replicate for _, replicate in run] for _, run in runs]


def _members(path: Path) -> range:
    first, last = map(int, path.stem.split("-"))
    return range(first, last + 1)


def _unstacked(path: Path, count: int) -> list[Any]:
    stacked = checkpoints.load(path)
    return [jax.tree.map(operator.itemgetter(index), stacked) for index in range(count)]
