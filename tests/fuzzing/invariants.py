"""Invariants of the lanes of a run: what the definition of each arm promises of its masks and weights."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from ltr.arms.lanes import method
from ltr.arms.registry import PRUNED
from ltr.core import masks
from ltr.engine.running_batch import Outcome
from ltr.engine.trainer import InitialState
from ltr.experiment.session import Session
from ltr.experiment.spec import RunSpec
from ltr.methods import registry
from ltr.pruning.targets import kept, met_by
from ltr.store.tables import LaneId

SEARCHED = ("ticket", "one_shot")
"""Masks that trained weights decide."""

LAYER_BY_LAYER = ("none", "layerwise", "by_input")
"""Shuffles after which each layer keeps as many weights as before."""


class Trained(NamedTuple):
    """A lane before and after its training, and the initial weights of its replicate."""

    start: InitialState
    outcome: Outcome
    initial: Any


Lanes = Mapping[LaneId, Trained]


@contextlib.contextmanager
def watched() -> Iterator[Lanes]:
    """Collect the lanes that runs train in this block, each with its final weights."""
    lanes: dict[LaneId, Trained] = {}
    commit = Session.commit

    def committed(self: Session, number: int, starts: Any, outcomes: Mapping[LaneId, Outcome]) -> None:
        commit(self, number, starts, outcomes)
        for lane, outcome in outcomes.items():
            initial = self.folder.groups.load("initial", lane.replicate)["initial"]
            lanes[lane] = Trained(starts[lane], outcome, initial)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "commit", committed)
        patch.setattr(Session, "_is_saved", lambda *_: True)
        yield lanes


def check(spec: RunSpec, lanes: Lanes) -> None:
    """Hold every lane to the definition of its arm."""
    for lane in lanes:
        check_mask(spec, lanes, lane)
        check_nested(spec, lanes, lane)
        check_density(spec, lanes, lane)
        if registry.method(method(spec.experiment, lane.arm)).trains_scores:
            check_chosen(spec, lanes, lane)
        else:
            check_start(spec, lanes, lane)
            check_end(spec, lanes, lane)


GRADUAL = ("gradual", "gradual_linear")
"""Methods that start from all weights, and prune them while they train."""


def check_mask(spec: RunSpec, lanes: Lanes, lane: LaneId) -> None:
    """A mask keeps exactly the target of its round; an unshuffled one of the ticket is the ticket's."""
    arm, mask, target = spec.experiment.arm[lane.arm], lanes[lane].start.mask, spec.targets[lane.round]
    ticket = lanes[lane._replace(arm="ticket", draw=0)].start.mask
    assert masks.count(mask) == kept(target), lane
    if arm.mask in SEARCHED and arm.shuffle in LAYER_BY_LAYER:
        assert met_by(spec.experiment.pruning, mask) == target, lane
    if arm.mask == "ticket" and arm.shuffle in LAYER_BY_LAYER:
        assert all(own.sum() == other.sum() for own, other in layers(mask, ticket)), lane
    if arm.mask == "ticket" and arm.shuffle == "none":
        assert all(np.array_equal(own, other) for own, other in layers(mask, ticket)), lane


def check_nested(spec: RunSpec, lanes: Lanes, lane: LaneId) -> None:
    """A mask that an arm searches is within its mask of the round before."""
    arm, before = spec.experiment.arm[lane.arm], lanes.get(lane._replace(round=lane.round - 1))
    if before is not None and arm.mask in SEARCHED and arm.shuffle == "none":
        pairs = layers(lanes[lane].start.mask, before.start.mask)
        assert not any((new & ~old).any() for new, old in pairs), lane


def check_density(spec: RunSpec, lanes: Lanes, lane: LaneId) -> None:
    """Training keeps the density, but where it decides the density itself."""
    decides = ("supermask", "gem_miner") + (GRADUAL if lanes[lane].outcome.is_diverged else ())
    if method(spec.experiment, lane.arm) not in decides:
        assert lanes[lane].outcome.density == masks.density(lanes[lane].start.mask), lane


def check_start(spec: RunSpec, lanes: Lanes, lane: LaneId) -> None:
    """Pruned weights start at zero or at their initial values, as the arm says."""
    pruned, (start, _, initial) = spec.experiment.arm[lane.arm].pruned, lanes[lane]
    if method(spec.experiment, lane.arm) in GRADUAL:
        return
    for mask, weights, drawn in layers(start.mask, start.params, initial):
        zero, frozen = weights == 0, weights == drawn
        allowed = zero if PRUNED[pruned].are_zero else frozen if pruned == "frozen" else zero | frozen
        assert np.all(mask | allowed), lane


def check_end(spec: RunSpec, lanes: Lanes, lane: LaneId) -> None:
    """Pruned weights end as they started; if connections move, each layer has no more than before.

    Of all weights that gradual pruning starts from, it leaves as many as the target.
    """
    start, outcome, _ = lanes[lane]
    if outcome.is_diverged:
        return
    if method(spec.experiment, lane.arm) in GRADUAL:
        left = sum(np.count_nonzero(after) for _, after in layers(start.mask, outcome.params))
        assert left <= masks.count(start.mask), lane
        return
    for mask, before, after in layers(start.mask, start.params, outcome.params):
        if method(spec.experiment, lane.arm) == "rigl":
            assert np.count_nonzero(after) <= np.count_nonzero(mask), lane
        else:
            assert np.all(mask | (before == after)), lane


def check_chosen(spec: RunSpec, lanes: Lanes, lane: LaneId) -> None:
    """Scores choose among the weights, edge-popup at most as many in each layer as the mask keeps.

    These are the initial ones, or those at the rewind step.
    """
    start, outcome, initial = lanes[lane]
    if outcome.is_diverged:
        return
    if spec.experiment.arm[lane.arm].weights == "rewound":
        initial = start.method_state["weights"]
    for mask, weights, drawn in layers(start.mask, outcome.params, initial):
        assert np.all((weights == 0) | (weights == drawn)), lane
        if method(spec.experiment, lane.arm) == "edge_popup":
            assert np.count_nonzero(weights) <= np.count_nonzero(mask), lane


def layers(mask: Any, *trees: Any) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the arrays of each prunable kernel: its mask, and its leaf of every tree."""
    leaves = [jax.tree.leaves(masks.where(mask, tree)) for tree in trees]
    for arrays in zip(jax.tree.leaves(mask), *leaves, strict=True):
        yield tuple(map(np.asarray, arrays))
