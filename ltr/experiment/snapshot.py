"""A round under way as a checkpoint holds it: arrays by name, and a description in JSON."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ltr.engine.program import Metrics
from ltr.engine.trainer import InitialState, LaneBatch, Outcome, Snapshot
from ltr.methods import Lane
from ltr.store.tables import LaneId

FORMAT = 4


def pack(snapshot: Snapshot, kept: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and description; final weights of `kept` arms alone, since nothing asks for a control's."""
    done, batch = snapshot.outcomes, snapshot.batch
    arrays: dict[str, Any] = {
        f"done_{place}": {
            "params": outcome.params if lane.arm in kept else None,
            "metrics": np.stack(outcome.metrics),
        }
        for place, (lane, outcome) in enumerate(done.items())
    }
    for place, (state, metrics) in enumerate(zip(batch.lanes, batch.metrics, strict=True) if batch else ()):
        leaves = {f"{number:04}": leaf for number, leaf in enumerate(jax.tree.leaves(state))}
        arrays[f"wave_{place}"] = {"state": leaves, "metrics": np.stack(metrics)}
    about = {
        "format": FORMAT,
        "done": [
            [*lane, outcome.density, outcome.seconds, dict(outcome.notes)] for lane, outcome in done.items()
        ],
        "wave": [list(lane) for lane in batch.names] if batch else [],
        "step": batch.step if batch else 0,
        "seconds": batch.seconds if batch else 0.0,
    }
    return arrays, about


def is_readable(about: Mapping[str, Any]) -> bool:
    """Whether this version of ltr packed the snapshot so."""
    return about.get("format") == FORMAT


def unpack(
    arrays: Mapping[str, Any],
    about: Mapping[str, Any],
    starts: Mapping[LaneId, InitialState],
    new_lane: Callable[[InitialState], Lane],
) -> Snapshot:
    """The snapshot that was packed, without its wave if a lane of it is not wanted any more.

    Args:
        arrays: what `pack` returned.
        about: what it returned beside them.
        starts: of the lanes that are wanted.
        new_lane: start -> a lane; one of a wave, whose lanes train alike, says how they are built.
    """
    outcomes = {}
    for place, (*lane, density, seconds, notes) in enumerate(about["done"]):
        saved = arrays[f"done_{place}"]
        metrics = Metrics(*saved["metrics"])
        outcomes[LaneId(*lane)] = Outcome(saved["params"], density, metrics, seconds, notes)
    names = tuple(LaneId(*lane) for lane in about["wave"])
    if not names or not set(names) <= set(starts):
        return Snapshot(outcomes, None)
    saved = [arrays[f"wave_{place}"] for place in range(len(names))]
    structure = jax.tree.structure(new_lane(starts[names[0]]))
    lanes = [_lane(one["state"], structure) for one in saved]
    found = [Metrics(*one["metrics"]) for one in saved]
    return Snapshot(outcomes, LaneBatch(names, lanes, about["step"], found, about["seconds"]))


def _lane(leaves: Mapping[str, np.ndarray], structure: Any) -> Lane:
    ordered: Sequence[np.ndarray] = [leaves[name] for name in sorted(leaves)]
    return jax.tree.unflatten(structure, ordered)


def steps(snapshot: Snapshot, wanted: Collection[LaneId], evaluate_at: np.ndarray) -> int:
    """Steps that the snapshot holds of the wanted lanes, all together."""
    first, last = int(evaluate_at[0]), int(evaluate_at[-1])
    done = sum(lane in wanted for lane in snapshot.outcomes) * (last - first)
    batch = snapshot.batch
    return done + (sum(lane in wanted for lane in batch.names) * (batch.step - first) if batch else 0)
