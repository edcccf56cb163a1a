"""Gem-Miner, against plain NumPy."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config.schema import Optimizer
from ltr.core import optimizers
from ltr.data.dataset import Dataset
from ltr.engine.examples import lay_out, normalise
from ltr.methods import gem_miner
from ltr.methods.gem_miner import FREEZINGS, LEARNING_RATE, PENALTY
from ltr.methods.method import Lane, MethodContext, MethodInput
from ltr.models.model import Model
from tests.methods.gated import gradients, kernels, taken


def flat(layers: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([layer.ravel() for layer in layers])


def active(lane: Any) -> np.ndarray:
    return flat(kernels(lane.method_state["active"]))


def test_scores_go_by_the_gradient_of_the_rounded_and_stay_between_0_and_1(
    train: Callable[..., Any], network: Model, blobs: Dataset, params: Any
) -> None:
    before, after = train("gem_miner", 1).lanes
    scores = kernels(before.params)
    assert 0 <= flat(scores).min() < 0.1 < 0.9 < flat(scores).max() < 1
    found = gradients(network, blobs, params, [np.float32(score >= 0.5) for score in scores])
    steps = zip(scores, kernels(after.params), found, kernels(params), taken(after), strict=True)
    for score, new, gradient, weight, passed in steps:
        expected = gradient * weight + 2 * PENALTY * score
        np.testing.assert_allclose(passed, expected, rtol=1e-3, atol=1e-7)
        moved = score - LEARNING_RATE * passed / (np.abs(passed) + 1e-8)
        np.testing.assert_allclose(new, np.clip(moved, 0, 1), atol=1e-5)


def test_the_penalty_is_that_of_the_squared_scores(
    network: Model, blobs: Dataset, params: Any, mask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is too small beside the gradients to be seen above."""
    context = MethodContext(network, optimizers.build(Optimizer(), 10, 4), 10, 4)
    data, of_penalty = lay_out(blobs), []
    for penalty in (0.0, 0.5):
        monkeypatch.setattr(gem_miner, "PENALTY", penalty)
        method = gem_miner.build(context)
        scores, state = method.begin(MethodInput(mask, params, jax.random.key(0), None, (0, 10)))
        opt_state = method.direction.init(scores)
        lane = Lane(scores, opt_state, mask, np.zeros(2, np.uint32), np.float32(0), state)
        images = jax.jit(normalise)(data.images, data)
        of_penalty.append(taken(jax.jit(method.step)(lane, images, data.labels, np.int32(0))[0]))
    for without, with_penalty, score in zip(*of_penalty, kernels(scores), strict=True):
        np.testing.assert_allclose(with_penalty - without, 2 * 0.5 * score, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("steps", [FREEZINGS, 47])
def test_the_lowest_scores_of_all_layers_are_frozen_by_the_exponential_bound(
    steps: int, train: Callable[..., Any], mask: Any
) -> None:
    lanes = train("gem_miner", steps, span=(0, steps)).lanes
    size, target = flat(kernels(mask)).size, flat(kernels(mask)).sum()
    for step, (before, after) in enumerate(itertools.pairwise(lanes), 1):
        old, new, scores = active(before), active(after), flat(kernels(after.params))
        times = FREEZINGS * step // steps
        left = np.ceil(size * (target / size) ** (times / FREEZINGS) - 1e-4)
        assert abs(new.sum() - max(left, target)) <= (0 if step == steps else 1)
        assert not (new & ~old).any()
        if (old & ~new).any():
            assert scores[old & ~new].max() <= scores[new].min()
    assert active(lanes[-1]).sum() == target


def test_frozen_weights_are_never_used_and_the_found_ones_are_the_others(train: Callable[..., Any]) -> None:
    trained = train("gem_miner", 47, span=(0, 47))
    last = trained.lanes[-1]
    used = flat(kernels(trained.method.network(last)[0]))
    np.testing.assert_array_equal(used, active(last) & (flat(kernels(last.params)) >= 0.5))
    found, inverted = trained.method.found(last)
    np.testing.assert_array_equal(flat(kernels(found)), active(last))
    assert not (flat(kernels(inverted)) & flat(kernels(found))).all()


def test_a_search_that_is_over_sooner_freezes_sooner(train: Callable[..., Any]) -> None:
    short, long = (active(train("gem_miner", 30, span=(0, last)).lanes[-1]).sum() for last in (30, 60))
    assert short < long
