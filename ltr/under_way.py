"""A round under way as a checkpoint holds it: arrays by name, and a description in JSON."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ltr.methods import Lane
from ltr.store.tables import LaneId
from ltr.training import Metrics
from ltr.waves import Outcome, Snapshot, Wave


def pack(snapshot: Snapshot, kept: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and description; final weights of `kept` arms alone, since nothing asks for a control's."""
    done, wave = snapshot.outcomes, snapshot.wave
    arrays: dict[str, Any] = {
        f"done_{place}": {
            "params": outcome.params if lane.arm in kept else None,
            "metrics": np.stack(outcome.metrics),
        }
        for place, (lane, outcome) in enumerate(done.items())
    }
    for place, (state, metrics) in enumerate(zip(wave.lanes, wave.metrics, strict=True) if wave else ()):
        leaves = {f"{number:04}": leaf for number, leaf in enumerate(jax.tree.leaves(state))}
        arrays[f"wave_{place}"] = {"state": leaves, "metrics": np.stack(metrics)}
    about = {
        "done": [
            [*lane, outcome.density, outcome.seconds, dict(outcome.notes)] for lane, outcome in done.items()
        ],
        "wave": [list(lane) for lane in wave.names] if wave else [],
        "step": wave.step if wave else 0,
        "seconds": wave.seconds if wave else 0.0,
    }
    return arrays, about


def unpack(arrays: Mapping[str, Any], about: Mapping[str, Any], like: Mapping[LaneId, Lane]) -> Snapshot:
    """The snapshot that was packed, without its wave if a lane of it is not wanted any more.

    `like` has a lane of the same structure for each that is wanted.
    """
    outcomes = {}
    for place, (*lane, density, seconds, notes) in enumerate(about["done"]):
        saved = arrays[f"done_{place}"]
        metrics = Metrics(*saved["metrics"])
        outcomes[LaneId(*lane)] = Outcome(saved["params"], density, metrics, seconds, notes)
    names = tuple(LaneId(*lane) for lane in about["wave"])
    if not names or not set(names) <= set(like):
        return Snapshot(outcomes, None)
    saved = [arrays[f"wave_{place}"] for place in range(len(names))]
    lanes = [_lane(one["state"], like[name]) for one, name in zip(saved, names, strict=True)]
    found = [Metrics(*one["metrics"]) for one in saved]
    return Snapshot(outcomes, Wave(names, lanes, about["step"], found, about["seconds"]))


def _lane(leaves: Mapping[str, np.ndarray], like: Lane) -> Lane:
    ordered: Sequence[np.ndarray] = [leaves[name] for name in sorted(leaves)]
    return jax.tree.unflatten(jax.tree.structure(like), ordered)


def steps(snapshot: Snapshot, wanted: Collection[LaneId], evaluate_at: np.ndarray) -> int:
    """Steps that the snapshot holds of the wanted lanes, all together."""
    first, last = int(evaluate_at[0]), int(evaluate_at[-1])
    done = sum(lane in wanted for lane in snapshot.outcomes) * (last - first)
    wave = snapshot.wave
    return done + (sum(lane in wanted for lane in wave.names) * (wave.step - first) if wave else 0)
