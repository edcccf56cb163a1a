"""A round under way as a checkpoint holds it: arrays by name, and a description in JSON."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ltr.store.tables import LaneId
from ltr.training import Lane, Metrics
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
    for place, (state, metrics) in enumerate(zip(wave.lanes, wave.metrics, strict=True)):
        leaves = {f"{number:04}": leaf for number, leaf in enumerate(jax.tree.leaves(state))}
        arrays[f"wave_{place}"] = {"state": leaves, "metrics": np.stack(metrics)}
    about = {
        "done": [[*lane, outcome.seconds] for lane, outcome in done.items()],
        "wave": [list(lane) for lane in wave.names],
        "step": wave.step,
        "seconds": wave.seconds,
    }
    return arrays, about


def unpack(arrays: Mapping[str, Any], about: Mapping[str, Any], like: Lane) -> Snapshot:
    """The snapshot that was packed; `like` is any lane of the run, for its structure."""
    outcomes = {}
    for place, (*lane, seconds) in enumerate(about["done"]):
        saved = arrays[f"done_{place}"]
        outcomes[LaneId(*lane)] = Outcome(saved["params"], Metrics(*saved["metrics"]), seconds)
    names = tuple(LaneId(*lane) for lane in about["wave"])
    saved = [arrays[f"wave_{place}"] for place in range(len(names))]
    lanes = [_lane(one["state"], like) for one in saved]
    metrics = [Metrics(*one["metrics"]) for one in saved]
    return Snapshot(outcomes, Wave(names, lanes, about["step"], metrics, about["seconds"]))


def _lane(leaves: Mapping[str, np.ndarray], like: Lane) -> Lane:
    ordered: Sequence[np.ndarray] = [leaves[name] for name in sorted(leaves)]
    return jax.tree.unflatten(jax.tree.structure(like), ordered)


def steps(snapshot: Snapshot, wanted: Collection[LaneId], evaluate_at: np.ndarray) -> int:
    """Steps that the snapshot holds of the wanted lanes, all together."""
    first, last = int(evaluate_at[0]), int(evaluate_at[-1])
    done = sum(lane in wanted for lane in snapshot.outcomes) * (last - first)
    return done + sum(lane in wanted for lane in snapshot.wave.names) * (snapshot.wave.step - first)
