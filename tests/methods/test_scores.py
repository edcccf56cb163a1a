"""Supermasks and edge-popup: scores are trained, weights are not."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import keys, training
from ltr.config import Optimizer
from ltr.data import Dataset
from ltr.methods import SCORES
from ltr.methods.supermask import MULTIPLE
from ltr.models import Model

LAYERS = ("dense_1", "dense_2", "output")
RATE = 0.5
SGD = Optimizer(name="sgd", learning_rate=RATE)


def kernels(tree: Any) -> list[np.ndarray]:
    return [np.asarray(tree[layer]["kernel"]) for layer in LAYERS]


def biases(tree: Any) -> list[np.ndarray]:
    return [np.asarray(tree[layer]["bias"]) for layer in LAYERS]


def gradients(network: Model, blobs: Dataset, params: Any, gates: list[np.ndarray]) -> list[np.ndarray]:
    """Of the loss with respect to the gated weights."""
    data = training.examples(blobs)
    images = training.normalise(data.images, data)
    gated = {
        layer: {"kernel": gate * params[layer]["kernel"], "bias": params[layer]["bias"]}
        for layer, gate in zip(LAYERS, gates, strict=True)
    }

    def loss(params: Any) -> jax.Array:
        chosen = jax.nn.log_softmax(network.apply(params, images))
        return -chosen[jnp.arange(len(data.labels)), data.labels].mean()

    return kernels(jax.grad(loss)(gated))


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
    key = keys.fold(jax.random.wrap_key_data(jnp.asarray(before.key)), "supermask", 0)
    gates, slopes = [], []
    for place, (score, kept) in enumerate(zip(kernels(before.params), kernels(mask), strict=True)):
        odds = (kept.sum() + 0.5) / (kept.size - kept.sum() + 0.5)
        np.testing.assert_allclose(np.exp(score), odds, rtol=1e-5)
        probability = odds / (1 + odds)
        coins = jax.random.uniform(jax.random.fold_in(key, place), score.shape) < probability
        gates.append(np.asarray(coins))
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


def test_supermask_uses_what_has_even_odds_or_better(train: Callable[..., Any]) -> None:
    trained = train("supermask", 30)
    used, _ = trained.method.network(trained.lanes[-1])
    for layer, score in zip(*map(kernels, (used, trained.lanes[-1].params)), strict=True):
        np.testing.assert_array_equal(layer, score >= 0)
