"""RigL, against plain NumPy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import optimizers
from ltr.config import Optimizer
from ltr.methods import Lane, rigl
from ltr.methods.rigl import EVERY, FRACTION, UNTIL
from ltr.models import Model

LAYERS = ("dense_1", "dense_2", "output")
STEPS = 400
"""Of the training that the fixture `train` takes steps of."""


def kernels(tree: Any) -> list[np.ndarray]:
    return [np.asarray(tree[layer]["kernel"]) for layer in LAYERS]


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5])
def test_the_smallest_weights_give_way_to_the_largest_gradients(
    fraction: float, params: Any, mask: Any
) -> None:
    gradients = jax.tree.map(lambda leaf: np.random.default_rng(4).normal(size=leaf.shape), params)
    after = jax.jit(rigl.moved_mask)(mask, params, gradients, jnp.float32(fraction))
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
    after = rigl.moved_mask(dense, params, params, jnp.float32(0.3))
    assert all(layer.all() for layer in kernels(after))


def test_it_moves_at_its_times_and_less_and_less(train: Callable[..., Any]) -> None:
    """Told from the masks: what differs from one step to the next, of 400 steps, 300 with moves."""
    lanes = train("rigl", STEPS).lanes
    masks_ = [np.concatenate([layer.ravel() for layer in kernels(lane.mask)]) for lane in lanes]
    moves = {step: int((masks_[step] != masks_[step + 1]).sum()) for step in range(STEPS)}
    times = [step for step, count in moves.items() if count]
    assert times == [100, 200]
    assert EVERY == 100
    assert int(UNTIL * STEPS) == 300
    for step in times:
        share = FRACTION / 2 * (1 + np.cos(np.pi * step / (UNTIL * STEPS)))
        most = 2 * sum(int(share * layer.sum()) for layer in kernels(lanes[0].mask))
        assert 0 < moves[step] <= most
    assert moves[200] < moves[100]


@pytest.mark.parametrize("name", ["adam", "momentum", "sgd"])
def test_what_comes_starts_from_zero_with_moments_of_zero_and_what_goes_leaves_none(
    name: str, train: Callable[..., Any], network: Model
) -> None:
    before, after = train("rigl", EVERY + 1, Optimizer(name=name, learning_rate=0.01)).lanes[-2:]
    states = jax.tree.leaves(after.moments, is_leaf=lambda node: isinstance(node, dict))
    moments = [state for state in states if isinstance(state, dict)]
    assert len(moments) == {"adam": 2, "momentum": 1, "sgd": 0}[name]
    assert any((old != new).any() for old, new in zip(*map(kernels, (before.mask, after.mask)), strict=True))
    for number, (old, new) in enumerate(zip(*map(kernels, (before.mask, after.mask)), strict=True)):
        for tree in (after.params, *moments):
            assert not kernels(tree)[number][new & ~old].any()
            assert not kernels(tree)[number][~new].any()
        staying = old & new
        np.testing.assert_array_equal(
            kernels(after.params)[number][staying], kernels(before.params)[number][staying]
        )


def test_a_new_mask_leaves_biases_and_their_moments_alone(params: Any, mask: Any) -> None:
    direction = optimizers.build(Optimizer(), 1, 1).direction
    moments = jax.tree.map(jnp.ones_like, direction.init(params))
    lane = Lane(params, moments, mask, np.zeros(2, np.uint32), np.float32(0))
    empty = jax.tree.map(np.zeros_like, mask)
    after = rigl.with_mask(direction, lane, empty)
    for layer in LAYERS:
        np.testing.assert_array_equal(after.params[layer]["bias"], params[layer]["bias"])
        assert after.moments[0].mu[layer]["bias"].all()
        assert not after.moments[0].mu[layer]["kernel"].any()
