"""Each invariant of a lane holds for lanes as arms define them, and is missed in lanes where it is broken."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr.arms.lanes import lanes
from ltr.core import masks
from ltr.engine.program import Metrics
from ltr.engine.running_batch import Outcome
from ltr.engine.trainer import InitialState
from ltr.experiment.compose import from_words
from ltr.experiment.spec import RunSpec
from ltr.store.tables import LaneId
from tests.fuzzing.configurations import SMALL
from tests.fuzzing.invariants import Lanes, Trained, check, layers

SIZE = ("rounds=2", "prune_rate=0.5", "model.width=0.05", "batch_size=30")
ARMS = ("ticket", "random_mask", "one_shot", "rigl", "frozen", "frozen_if_grown", "edge_popup")
SHUFFLED = ("random_mask", "rigl")
FROZEN = ("frozen", "frozen_if_grown", "edge_popup")
WORDS = (*SMALL, *SIZE, f"arms=[{','.join(ARMS)}]")

Run = tuple[RunSpec, Lanes]


@pytest.fixture(scope="module")
def run() -> Run:
    """Lanes as if trained, by one step that adds 1 to each weight that is kept; edge-popup's stay."""
    spec, generator = RunSpec.from_experiment(from_words(list(WORDS))), np.random.default_rng(0)
    initial = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), spec.shapes)
    order = jax.tree.map(lambda leaf: generator.permutation(leaf.size).reshape(leaf.shape), spec.shapes)
    order = masks.where(spec.model.layer_types, order)
    metrics = Metrics(*[np.zeros(1, np.float32)] * len(Metrics._fields))

    def trained(lane: LaneId) -> Trained:
        mask = jax.tree.map(lambda places, count: places < count, order, spec.targets[lane.round])
        mask = jax.tree.map(np.flip, mask) if lane.arm in SHUFFLED else mask
        params = initial if lane.arm in FROZEN else masks.apply(mask, initial)
        end = of_kernels(np.add, mask, params)
        end = masks.apply(mask, initial) if lane.arm == "edge_popup" else end
        state = InitialState(params, mask, np.zeros(2, np.uint32))
        return Trained(state, Outcome(end, masks.density(mask), metrics, 0.0), initial)

    return spec, {lane: trained(lane) for number in range(3) for lane in lanes(spec.experiment, number)}


def of_kernels(change: Callable[..., Any], mask: Any, params: Any) -> Any:
    """Parameters with each prunable kernel changed, of which `change` gets the mask too."""
    return masks.tree_map(
        lambda kept, weights: weights if kept is None else change(weights, kept), mask, params
    )


def of_mask(change: Callable[..., Any]) -> Callable[[Trained], Trained]:
    def changed(lane: Trained) -> Trained:
        mask = jax.tree.map(change, lane.start.mask)
        return lane._replace(start=lane.start._replace(mask=mask))

    return changed


def of_start(change: Callable[..., Any]) -> Callable[[Trained], Trained]:
    def changed(lane: Trained) -> Trained:
        params = of_kernels(change, lane.start.mask, lane.start.params)
        return lane._replace(start=lane.start._replace(params=params))

    return changed


def of_end(change: Callable[..., Any]) -> Callable[[Trained], Trained]:
    def changed(lane: Trained) -> Trained:
        params = of_kernels(change, lane.start.mask, lane.outcome.params)
        return lane._replace(outcome=lane.outcome._replace(params=params))

    return changed


def pruned_is(value: float) -> Callable[..., Any]:
    return lambda weights, kept: np.where(kept, weights, value)


def doubled(weights: Any, kept: Any) -> Any:
    return 2 * weights


def with_one_moved_to_another_layer(lane: Trained) -> Trained:
    first, *_, last = changed = [mask.copy() for (mask,) in layers(lane.start.mask)]
    first.flat[np.flatnonzero(first)[0]] = False
    last.flat[np.flatnonzero(~last)[0]] = True
    mask = jax.tree.unflatten(jax.tree.structure(lane.start.mask), changed)
    return lane._replace(start=lane.start._replace(mask=mask))


def denser(lane: Trained) -> Trained:
    return lane._replace(outcome=lane.outcome._replace(density=1.0))


def test_lanes_as_their_arms_define_them_pass(run: Run) -> None:
    check(*run)


@pytest.mark.parametrize(
    ("arm", "change"),
    [
        pytest.param("random_mask", of_mask(np.ones_like), id="a dense mask"),
        pytest.param("random_mask", with_one_moved_to_another_layer, id="a layer with a weight less"),
        pytest.param("frozen", of_mask(np.flip), id="a mask that is not the ticket's"),
        pytest.param("one_shot", of_mask(np.flip), id="a mask that is not nested"),
        pytest.param("rigl", denser, id="a density that training changes"),
        pytest.param("random_mask", of_start(pruned_is(1)), id="pruned weights that start at one"),
        pytest.param("frozen", of_start(pruned_is(0)), id="frozen weights that start at zero"),
        pytest.param("frozen_if_grown", of_start(pruned_is(1)), id="weights neither frozen nor zero"),
        pytest.param("ticket", of_end(pruned_is(1)), id="pruned weights that train"),
        pytest.param("frozen", of_end(pruned_is(0)), id="frozen weights that train"),
        pytest.param("rigl", of_end(pruned_is(1)), id="more connections"),
        pytest.param("edge_popup", of_end(doubled), id="chosen weights that train"),
    ],
)
def test_the_check_notices(arm: str, change: Callable[[Trained], Trained], run: Run) -> None:
    spec, trained = run
    lane = LaneId(2, 0, arm, 0)
    with pytest.raises(AssertionError, match=arm):
        check(spec, {**trained, lane: change(trained[lane])})
