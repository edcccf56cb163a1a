"""Supermasks and edge-popup: scores are trained, weights are not."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr.config.schema import Optimizer
from ltr.core import rng
from ltr.data.dataset import Dataset
from ltr.methods import supermask
from ltr.methods.method import MethodInput
from ltr.methods.registry import METHODS
from ltr.methods.scores import straight_through
from ltr.methods.supermask import MULTIPLE
from ltr.models.model import Model
from tests.methods.gated import biases, gradients, kernels

RATE = 0.5
SGD = Optimizer(name="sgd", learning_rate=RATE)

SCORES = [name for name, entry in METHODS.items() if entry.trains_scores]


@pytest.mark.parametrize("name", SCORES)
def test_weights_and_biases_stay_and_scores_move(name: str, train: Callable[..., Any], params: Any) -> None:
    trained = train(name, 30)
    first, last = trained.lanes[0], trained.lanes[-1]
    _, weights = trained.method.network(last)
    for kept, now, initial in zip(
        *map(kernels, (trained.method.network(last)[0], weights, params)), strict=True
    ):
        np.testing.assert_array_equal(now, np.where(kept, initial, 0))
    for now, initial in zip(biases(last.params), biases(params), strict=True):
        np.testing.assert_array_equal(now, initial)
    assert all(
        (one != other).any() for one, other in zip(*map(kernels, (first.params, last.params)), strict=True)
    )


@pytest.mark.parametrize("name", SCORES)
def test_training_chooses_other_weights_than_chance(name: str, train: Callable[..., Any]) -> None:
    trained = train(name, 30)
    before, after = (trained.method.network(lane)[0] for lane in (trained.lanes[0], trained.lanes[-1]))
    assert all((one != other).any() for one, other in zip(*map(kernels, (before, after)), strict=True))


def test_edge_popup_uses_the_largest_scores_and_lets_the_gradient_through(
    train: Callable[..., Any], network: Model, blobs: Dataset, params: Any, mask: Any
) -> None:
    before, after = train("edge_popup", 1, SGD).lanes
    scores = kernels(before.params)
    gates = [
        np.abs(score) >= np.sort(np.abs(score), axis=None)[-kept.sum()]
        for score, kept in zip(scores, kernels(mask), strict=True)
    ]
    found = gradients(network, blobs, params, gates)
    for score, new, gradient, weight in zip(
        scores, kernels(after.params), found, kernels(params), strict=True
    ):
        expected = score - RATE * gradient * weight * np.sign(score)
        np.testing.assert_allclose(new, expected, rtol=1e-4, atol=1e-6)
        assert (new != score).any()


def test_edge_popup_scores_are_drawn_evenly_by_the_key(train: Callable[..., Any]) -> None:
    one, again, other = (kernels(train("edge_popup", 0, key=key).lanes[0].params) for key in (0, 0, 1))
    for drawn, same, different in zip(one, again, other, strict=True):
        bound = 1 / np.sqrt(len(drawn))
        assert np.abs(drawn).max() <= bound
        assert drawn.std() == pytest.approx(bound / np.sqrt(3), rel=0.25)
        np.testing.assert_array_equal(drawn, same)
        assert (drawn != different).all()


def test_supermask_tosses_a_coin_a_weight_and_lets_the_gradient_through(
    train: Callable[..., Any], network: Model, blobs: Dataset, params: Any, mask: Any
) -> None:
    before, after = train("supermask", 1, SGD).lanes
    key = rng.fold(jax.random.wrap_key_data(jnp.asarray(before.method_state["key"])), "step", 0)
    gates, slopes = [], []
    for place, (score, kept) in enumerate(zip(kernels(before.params), kernels(mask), strict=True)):
        odds = (kept.sum() + 0.5) / (kept.size - kept.sum() + 0.5)
        np.testing.assert_allclose(np.exp(score), odds, rtol=1e-5)
        probability = odds / (1 + odds)
        draws = rng.uniform(jax.random.fold_in(key, place), score.shape)
        gates.append(np.asarray(draws) < np.float32(probability))
        slopes.append(probability * (1 - probability))
    found = gradients(network, blobs, params, gates)
    layers = zip(*map(kernels, (before.params, after.params, params)), found, slopes, strict=True)
    for score, new, weight, gradient, slope in layers:
        expected = score - MULTIPLE * RATE * gradient * weight * slope
        np.testing.assert_allclose(new, expected, rtol=1e-4, atol=1e-5)
        assert (new != score).any()


def test_supermask_coins_are_tossed_anew_in_every_step(train: Callable[..., Any]) -> None:
    """From the same scores, two steps of different numbers go different ways."""
    ends = [kernels(train("supermask", 1, SGD, first=first).lanes[-1].params) for first in (0, 1)]
    assert all((one != other).any() for one, other in zip(*ends, strict=True))


def test_supermask_is_evaluated_as_drawn_with_its_odds_and_always_the_same(
    train: Callable[..., Any],
) -> None:
    trained = train("supermask", 30)
    lane = trained.lanes[-1]
    used, again = (trained.method.network(lane)[0] for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, used, again)
    for layer, score in zip(*map(kernels, (used, lane.params)), strict=True):
        probability = 1 / (1 + np.exp(-score.astype(np.float64)))
        deviation = np.sqrt((probability * (1 - probability)).sum())
        assert abs(layer.sum() - probability.sum()) < 4 * deviation + 1e-9
        assert not layer[probability < 1e-6].any()


def test_supermasks_of_other_keys_toss_other_coins(train: Callable[..., Any]) -> None:
    one, other = (kernels(train("supermask", 1, SGD, key=key).lanes[-1].params) for key in (0, 1))
    assert all((left != right).any() for left, right in zip(one, other, strict=True))


def test_supermask_uses_a_whole_layer_whole(params: Any, mask: Any) -> None:
    whole = {**mask, "output": {"kernel": np.ones_like(mask["output"]["kernel"]), "bias": None}}
    started, _ = supermask.begin(MethodInput(whole, params, jax.random.key(0), None, (0, 1)))
    probability = jax.nn.sigmoid(started["output"]["kernel"])
    assert (np.asarray(probability) == 1).all()
    assert (np.asarray(jax.nn.sigmoid(started["dense_1"]["kernel"])) < 1).all()


def test_a_gate_is_exactly_its_value() -> None:
    value, as_if = np.float32([0, 1, 1, 0]), np.float32([1e-3, 0.3, 1e4, 7e-9])
    np.testing.assert_array_equal(jax.jit(straight_through)(value, as_if), value)
    gradient = jax.jit(jax.grad(lambda x: straight_through(value, x).sum()))
    np.testing.assert_array_equal(gradient(as_if), 1)


@pytest.mark.parametrize("name", ["supermask", "edge_popup"])
def test_clipping_is_by_the_gradients_of_scores_alone(name: str, train: Callable[..., Any]) -> None:
    """Nothing else moves, whatever its gradient."""
    trained = train(name, 1, Optimizer(name="sgd", learning_rate=RATE, clip=1e-3))
    before, after = (kernels(lane.params) for lane in trained.lanes[:2])
    apply_update = np.sqrt(sum(np.square(new - old).sum() for new, old in zip(after, before, strict=True)))
    assert apply_update == pytest.approx(1e-3 * RATE * (MULTIPLE if name == "supermask" else 1), rel=1e-2)
