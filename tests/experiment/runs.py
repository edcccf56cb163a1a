"""Small runs of the paper's loop in this process: how they are asked for, watched and compared."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ltr.config.parse import parse
from ltr.config.schema import Experiment, to_dict
from ltr.engine.trainer import Progress
from ltr.errors import LtrError, StoppedError
from ltr.experiment.runtime import Runtime
from ltr.store.folder import RunFolder, round_name
from ltr.store.tables import LaneId

Run = Callable[..., Path]
"""Runs what `ask` takes below a folder; returns its run folder."""

Ready = Callable[[Experiment], Runtime]
"""A runtime for an experiment."""


class Watcher:
    """Notes the lanes that are trained; `end` says after how many visits the run is to stop."""

    def __init__(self, end: int | None = None) -> None:
        self.lanes: set[LaneId] = set()
        self.committed: list[int] = []
        self._end = end

    def on_stage(self, stage: str, lanes: int, step_cost: float) -> None: ...

    def on_resume(self, steps: int) -> None: ...

    def on_chunk(self, progress: Progress) -> LtrError | None:
        self.lanes |= set(progress.names)
        if self._end is None:
            return None
        self._end -= 1
        return StoppedError(2, "stopped") if self._end < 0 else None

    def on_round_end(self, round_number: int) -> None:
        self.committed.append(round_number)


def ask(root: Path, **knobs: Any) -> Experiment:
    """A run of a narrow network that takes a second or so, unless `knobs` say otherwise."""
    small = {"steps": 40, "eval_every": 20, "rounds": 2, "replicates": 2, "output_root": str(root)}
    small["model"] = {"width": 0.1}
    more = knobs.get("arm", {})
    known = to_dict(Experiment().arm)
    defined = {name: {**known.get(name, {}), **more.get(name, {})} for name in {**known, **more}}
    return parse(small | knobs | {"arm": defined})


def saved(path: Path, name: str, replicate: int = 0) -> Any:
    return RunFolder(path).groups.load(name, replicate)


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of the tables that repeat bit for bit."""
    return {name: (path / f"{name}.parquet").read_bytes() for name in ("metrics", "results")}


def assert_same(left: Any, right: Any) -> None:
    """Bit for bit."""
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def assert_same_run(left: Path, right: Path, rounds: int = 2, replicates: int = 2) -> None:
    """Tables and tickets, bit for bit."""
    assert contents(left) == contents(right)
    one, other = (RunFolder(path).groups for path in (left, right))
    for name in ["initial", *map(round_name, range(rounds + 1))]:
        for replicate in range(replicates):
            assert_same(one.load(name, replicate), other.load(name, replicate))


def kernels(mask: Any) -> dict[str, np.ndarray]:
    """The mask of each layer, by the layer's name."""
    return {path[-2].key: leaf for path, leaf in jax.tree.leaves_with_path(mask)}
