"""RigL, against plain NumPy."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config.schema import Optimizer
from ltr.core import optimizers
from ltr.methods import rigl
from ltr.methods.method import Lane, pruned
from ltr.methods.rigl import FRACTION
from ltr.methods.rigl_schedule import EVERY, UNTIL
from ltr.models.model import Model
from tests.marks import slow

LAYERS = ("dense_1", "dense_2", "output")
STEPS = 400
"""Of the training that the fixture `train` takes steps of."""


def kernels(tree: Any) -> list[np.ndarray]:
    return [np.asarray(tree[layer]["kernel"]) for layer in LAYERS]


def move(mask: Any, params: Any, gradients: Any, fraction: float, key: int = 0) -> Any:
    draws = jax.random.split(jax.random.key(key))
    moved = jax.jit(rigl.moved_mask)(mask, params, gradients, np.float32(fraction), *draws)
    return jax.device_get(moved)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("density", [0.5, 0.9])
def test_the_smallest_weights_give_way_to_the_largest_gradients(
    fraction: float, density: float, params: Any, mask: Any
) -> None:
    """At a density of 0.9 fewer weights are free than are dropped: those just dropped may come back."""
    generator = np.random.default_rng(4)
    mask = jax.tree.map(lambda kept: generator.random(kept.shape) < density, mask)
    gradients = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape).astype(np.float32), params)
    after = move(mask, params, gradients, fraction)
    for kept, new, weight, gradient in zip(*map(kernels, (mask, after, params, gradients)), strict=True):
        count = int(np.float32(fraction) * kept.sum())
        survivors = np.flatnonzero(kept)
        going = survivors[np.argsort(np.abs(weight.ravel()[survivors]))[:count]]
        staying = kept.copy().ravel()
        staying[going] = False
        unused = np.flatnonzero(~staying)
        coming = unused[np.argsort(-np.abs(gradient.ravel()[unused]))[:count]]
        expected = staying.copy()
        expected[coming] = True
        np.testing.assert_array_equal(new.ravel(), expected)


def test_a_dense_layer_stays_dense(params: Any, mask: Any) -> None:
    dense = jax.tree.map(np.ones_like, mask)
    after = move(dense, params, params, 0.3)
    assert all(layer.all() for layer in kernels(after))


def test_at_a_high_density_as_many_grow_as_are_dropped() -> None:
    """Of 9,600 weights 8,640 are kept and 2,592 dropped; of the 3,552 then free 960 are new."""
    generator = np.random.default_rng(0)
    kept = np.zeros(9600, bool)
    kept[generator.permutation(9600)[:8640]] = True
    weights, gradients = generator.normal(size=(2, 9600)).astype(np.float32)
    after = move({"kernel": kept}, {"kernel": weights}, {"kernel": gradients}, FRACTION)["kernel"]
    assert after.sum() == 8640
    assert (after & ~kept).sum() == pytest.approx(2592 * 960 / 3552, abs=5 * np.sqrt(700 * 0.3))


def test_equal_weights_and_gradients_are_drawn(params: Any, mask: Any) -> None:
    """Gradients of zero all over (dead units), weights of one size: neither goes by the index."""
    kept = {"kernel": np.arange(4000) % 2 == 0}
    same, none = ({"kernel": np.full(4000, value, np.float32)} for value in (0.1, 0))
    after, other = (move(kept, same, none, 0.3, key)["kernel"] for key in (0, 1))
    assert after.sum() == 2000
    dropped, grown = kept["kernel"] & ~after, after & ~kept["kernel"]
    for apply_update in (dropped, grown):
        share = apply_update[:2000].sum() / apply_update.sum()
        assert share == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(apply_update.sum()))
    assert (after != other).any()


def test_it_moves_at_its_times_and_less_and_less(train: Callable[..., Any]) -> None:
    """Told from the masks: what differs from one step to the next, of 400 steps, 300 with moves."""
    lanes = train("rigl", STEPS).lanes
    masks_ = [np.concatenate([layer.ravel() for layer in kernels(lane.mask)]) for lane in lanes]
    moves = {step: int((masks_[step] != masks_[step + 1]).sum()) for step in range(STEPS)}
    times = [step for step, count in moves.items() if count]
    assert times == [0, 100, 200]
    assert EVERY == 100
    assert int(UNTIL * STEPS) == 300
    for step in times:
        share = FRACTION / 2 * (1 + np.cos(np.pi * step / (UNTIL * STEPS)))
        most = 2 * sum(int(share * layer.sum()) for layer in kernels(lanes[0].mask))
        assert 0 < moves[step] <= most
    assert moves[200] < moves[100] < moves[0]


@pytest.mark.parametrize("name", ["adam", slow("momentum"), slow("sgd")])
def test_what_comes_starts_from_zero_with_moments_of_zero_and_what_goes_leaves_none(
    name: str, train: Callable[..., Any], network: Model
) -> None:
    before, after = train("rigl", EVERY + 1, Optimizer(name=name, learning_rate=0.01)).lanes[-2:]
    states = jax.tree.leaves(after.opt_state, is_leaf=lambda node: isinstance(node, dict))
    opt_state = [state for state in states if isinstance(state, dict)]
    assert len(opt_state) == {"adam": 2, "momentum": 1, "sgd": 0}[name]
    assert any((old != new).any() for old, new in zip(*map(kernels, (before.mask, after.mask)), strict=True))
    for step, (old, new) in enumerate(zip(*map(kernels, (before.mask, after.mask)), strict=True)):
        for tree in (after.params, *opt_state):
            assert not kernels(tree)[step][new & ~old].any()
            assert not kernels(tree)[step][~new].any()
        staying = old & new
        np.testing.assert_array_equal(
            kernels(after.params)[step][staying], kernels(before.params)[step][staying]
        )


def test_a_new_mask_leaves_biases_and_their_moments_alone(params: Any, mask: Any) -> None:
    direction = optimizers.build(Optimizer(), 1, 1).direction
    shapes = jax.eval_shape(direction.init, params)
    opt_state = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), shapes)
    lane = Lane(params, opt_state, mask, np.zeros(2, np.uint32), np.float32(0))
    empty = jax.tree.map(np.zeros_like, mask)
    after = jax.device_get(jax.jit(partial(pruned, direction))(lane, empty))
    for layer in LAYERS:
        np.testing.assert_array_equal(after.params[layer]["bias"], params[layer]["bias"])
        assert after.opt_state[0].mu[layer]["bias"].all()
        assert not after.opt_state[0].mu[layer]["kernel"].any()
