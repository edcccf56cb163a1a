"""Relaxed Bernoulli gates, against plain NumPy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm

from ltr.core import rng
from ltr.data.dataset import Dataset
from ltr.methods.bernoulli_gates import LEARNING_RATE, PENALTY
from ltr.models.model import Model
from tests.methods.gated import gradients, kernels, taken


def test_means_go_by_the_gradient_where_gates_are_not_clipped(
    train: Callable[..., Any], network: Model, blobs: Dataset, params: Any
) -> None:
    before, after = train("bernoulli_gates", 1).lanes
    key = rng.fold(jax.random.wrap_key_data(jnp.asarray(before.method_state["key"])), "step", 0)
    means = kernels(before.params)
    assert 0.45 < min(layer.min() for layer in means) < 0.5 < max(layer.max() for layer in means) < 0.55
    noisy = []
    for place, mean in enumerate(means):
        drawn = np.asarray(rng.uniform(jax.random.fold_in(key, place), mean.shape), np.float64)
        noisy.append(mean + 0.5 * norm.ppf(drawn))
    found = gradients(network, blobs, params, [np.float32(np.clip(gate, 0, 1)) for gate in noisy])
    layers = zip(means, kernels(after.params), taken(after), found, noisy, kernels(params), strict=True)
    for mean, new, passed, gradient, gate, weight in layers:
        penalty = PENALTY / 0.5 * norm.pdf(mean / 0.5)
        expected = gradient * weight * ((gate > 0) & (gate < 1)) + penalty
        np.testing.assert_allclose(passed, expected, rtol=1e-3, atol=1e-7)
        moved = mean - LEARNING_RATE * passed / (np.abs(passed) + 1e-8)
        np.testing.assert_allclose(new, moved, atol=1e-4)


def test_gates_that_are_clipped_feel_the_penalty_alone(train: Callable[..., Any], params: Any) -> None:
    """About a third of them, at a mean of 0.5 and a deviation of 0.5."""
    after = train("bernoulli_gates", 1).lanes[-1]
    passed = np.concatenate([layer.ravel() for layer in taken(after)])
    alone = np.isclose(passed, PENALTY / 0.5 * norm.pdf(1), rtol=0.1)
    assert 0.2 < alone.mean() < 0.8
