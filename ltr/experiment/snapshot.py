"""Checkpoints inside a round: conversion of a snapshot to named arrays and a JSON description."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ltr.core.likeness import difference
from ltr.engine.program import Metrics
from ltr.engine.running_batch import LaneBatch, Outcome
from ltr.engine.trainer import InitialState, Snapshot
from ltr.methods.method import FoundMask, Lane
from ltr.store.tables import LaneId

log = logging.getLogger(__name__)

FORMAT = 6


def pack(snapshot: Snapshot) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arrays and the description of a snapshot."""
    done, batch = snapshot.outcomes, snapshot.batch
    arrays: dict[str, Any] = {
        f"done_{place}": {
            "params": outcome.params,
            "metrics": np.stack(outcome.metrics),
            "found": outcome.found and outcome.found._asdict(),
        }
        for place, outcome in enumerate(done.values())
    }
    for place, (state, metrics) in enumerate(zip(batch.lanes, batch.metrics, strict=True) if batch else ()):
        arrays[f"wave_{place}"] = {"state": _leaves(state), "metrics": np.stack(metrics)}
    about = {
        "format": FORMAT,
        "done": [
            [*lane, outcome.density, outcome.seconds, outcome.operations, dict(outcome.notes)]
            for lane, outcome in done.items()
        ],
        "wave": [list(lane) for lane in batch.names] if batch else [],
        "step": batch.step if batch else 0,
        "seconds": batch.seconds if batch else 0.0,
    }
    return arrays, about


def is_readable(about: Mapping[str, Any]) -> bool:
    """Return whether this version of ltr can read the snapshot."""
    return about.get("format") == FORMAT


def unpack(
    arrays: Mapping[str, Any],
    about: Mapping[str, Any],
    starts: Mapping[LaneId, InitialState],
    new_lane: Callable[[InitialState], Lane],
) -> Snapshot:
    """Return the snapshot that was packed, without its batch if `starts` lacks a lane of it.

    A batch whose lanes differ from new ones in names, shapes or types of arrays, as those of another version
    of a library may, is left out with a warning.

    Args:
        arrays: arrays that `pack` returned.
        about: description that `pack` returned.
        starts: initial states of the lanes to be trained.
        new_lane: initial state -> lane; gives the structure of the state, which a batch's lanes share.
    """
    outcomes = {}
    for place, (*lane, density, seconds, operations, notes) in enumerate(about["done"]):
        saved = arrays[f"done_{place}"]
        outcomes[LaneId(*lane)] = Outcome(
            saved["params"],
            density,
            Metrics(*saved["metrics"]),
            seconds,
            notes,
            saved["found"] and FoundMask(**saved["found"]),
            operations,
        )
    names = tuple(LaneId(*lane) for lane in about["wave"])
    if not names or not set(names) <= set(starts):
        return Snapshot(outcomes, None)
    saved = [arrays[f"wave_{place}"] for place in range(len(names))]
    wanted = new_lane(starts[names[0]])
    if unlike := next(filter(None, (difference(entry["state"], _leaves(wanted)) for entry in saved)), ""):
        log.warning("checkpoint inside a round: %s; its lanes in training begin again", unlike)
        return Snapshot(outcomes, None)
    structure = jax.tree.structure(wanted)
    lanes = [_lane(entry["state"], structure) for entry in saved]
    metrics = [Metrics(*entry["metrics"]) for entry in saved]
    return Snapshot(outcomes, LaneBatch(names, lanes, about["step"], metrics, about["seconds"]))


def _leaves(state: Lane) -> dict[str, np.ndarray]:
    """Return the arrays of a lane, named by their place."""
    return {f"{number:04}": leaf for number, leaf in enumerate(jax.tree.leaves(state))}


def _lane(leaves: Mapping[str, np.ndarray], structure: Any) -> Lane:
    ordered: Sequence[np.ndarray] = [leaves[name] for name in sorted(leaves)]
    return jax.tree.unflatten(structure, ordered)


def steps(snapshot: Snapshot, wanted: Collection[LaneId], evaluate_at: np.ndarray) -> int:
    """Return the number of steps in a snapshot, summed over the wanted lanes."""
    first, last = int(evaluate_at[0]), int(evaluate_at[-1])
    done = sum(lane in wanted for lane in snapshot.outcomes) * (last - first)
    batch = snapshot.batch
    return done + (sum(lane in wanted for lane in batch.names) * (batch.step - first) if batch else 0)
