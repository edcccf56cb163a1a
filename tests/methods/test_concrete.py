"""Concrete Ticket Search, against plain NumPy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr.core import rng
from ltr.data.dataset import Dataset
from ltr.engine.examples import lay_out, normalise
from ltr.methods import concrete
from ltr.models.model import Model
from tests.methods.gated import cross_entropy, gradients, kernels, taken


def reverse_divergence(network: Model, blobs: Dataset, params: Any, dense: Any) -> jax.Array:
    data = lay_out(blobs)
    images = normalise(data.images, data)
    gated, teacher = (jax.nn.softmax(network.apply(weights, images)) for weights in (params, dense))
    return (gated * jnp.log(gated / teacher)).sum(1).mean()


@pytest.mark.parametrize("name", ["concrete", "concrete_kl"])
def test_logits_go_by_the_gradient_of_the_gates(
    name: str, train: Callable[..., Any], network: Model, blobs: Dataset, params: Any, mask: Any
) -> None:
    """In the first step there is no penalty, as the expected density is that of the target."""
    before, after = train(name, 1).lanes
    density = sum(layer.sum() for layer in kernels(mask)) / sum(layer.size for layer in kernels(mask))
    key = rng.fold(jax.random.wrap_key_data(jnp.asarray(before.method_state["key"])), "step", 0)
    gates = []
    for place, logit in enumerate(kernels(before.params)):
        np.testing.assert_allclose(logit, np.log(density / (1 - density)), rtol=1e-5)
        drawn = np.asarray(rng.uniform(jax.random.fold_in(key, place), logit.shape), np.float64)
        logistic = np.log(drawn) - np.log(1 - drawn)
        gates.append(1 / (1 + np.exp(-(logit + logistic / (2 / 3)))))
    losses = {
        "concrete": cross_entropy,
        "concrete_kl": lambda *given: reverse_divergence(*given, params),
    }
    found = gradients(network, blobs, params, [np.float32(gate) for gate in gates], losses[name])
    assert after.method_state["factor"] == 0
    layers = zip(kernels(before.params), kernels(after.params), taken(after), found, gates, strict=True)
    for (logit, new, passed, gradient, gate), weight in zip(layers, kernels(params), strict=True):
        expected = 100 * gradient * weight * gate * (1 - gate)
        np.testing.assert_allclose(passed, expected, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(new, logit - 0.1 * passed / (np.abs(passed) + 1e-8), atol=1e-4)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(("target", "is_over"), [(2, True), (10, False)])
def test_the_penalty_is_as_strong_as_the_loss_and_on_one_side_only(
    target: int, is_over: bool, is_first: bool
) -> None:
    generator = np.random.default_rng(0)
    logits = {"a": generator.normal(size=(3, 4)), "b": generator.normal(size=5)}
    of_loss = {name: generator.normal(size=layer.shape) for name, layer in logits.items()}
    as_floats = jax.tree.map(np.float32, (of_loss, logits))
    found, factor = jax.jit(concrete.balanced)(*as_floats, np.int32(target), np.float32(3), is_first)
    open_ = {name: 1 / (1 + np.exp(-layer)) for name, layer in logits.items()}
    of_penalty = {name: 100 / (1.1 * target) * p * (1 - p) for name, p in open_.items()}
    assert bool(sum(p.sum() for p in open_.values()) > 1.1 * target) is is_over
    norms = [np.sqrt(sum((layer**2).sum() for layer in tree.values())) for tree in (of_loss, of_penalty)]
    newest = norms[0] / norms[1] if is_over else 0
    expected = newest if is_first else 0.99 * 3 + 0.01 * newest
    np.testing.assert_allclose(factor, expected, rtol=1e-5)
    for name, layer in found.items():
        np.testing.assert_allclose(layer, of_loss[name] + expected * of_penalty[name], rtol=1e-4, atol=1e-4)


def test_gates_are_drawn_anew_in_every_step(train: Callable[..., Any]) -> None:
    ends = [taken(train("concrete", 1, first=first).lanes[-1]) for first in (0, 1)]
    assert all((one != other).any() for one, other in zip(*ends, strict=True))


def test_logits_far_out_are_closed_or_open_and_finite() -> None:
    logits = {"kernel": np.float32([-1e4, 1e4])}
    draw = jax.jit(jax.value_and_grad(lambda tree: concrete.drawn(jax.random.key(0), tree)["kernel"][1]))
    value, gradient = draw(logits)
    assert value == 1
    assert not gradient["kernel"].any()


def test_the_learning_rate_falls_late(train: Callable[..., Any]) -> None:
    """A step of Adam moves no score by much more than the learning rate."""
    for first, most in ((87, 0.1), (88, 0.01)):
        before, after = train("concrete", 1, first=first, span=(0, 100)).lanes
        pairs = zip(*map(kernels, (after.params, before.params)), strict=True)
        moved = max(np.abs(new - old).max() for new, old in pairs)
        assert moved == pytest.approx(most, rel=1e-2)


def test_it_learns_to_answer_as_the_dense_network(
    train: Callable[..., Any], network: Model, blobs: Dataset, params: Any
) -> None:
    trained = train("concrete_kl", 60)
    before, after = (
        reverse_divergence(network, blobs, trained.method.network(lane)[1], params)
        for lane in (trained.lanes[0], trained.lanes[-1])
    )
    assert after < 0.9 * before


def test_the_teacher_costs_a_forward_pass_of_the_dense_network(
    train: Callable[..., Any], network: Model
) -> None:
    trained = train("concrete_kl", 0)
    of_step = 2 * (2 * 16 * 8 + 3 * 8 * 6 + 3 * 6 * 3)
    forward = 2 * (16 * 8 + 8 * 6 + 6 * 3)
    assert trained.method.operations(trained.lanes[0], 10, 15) == 5 * (of_step + forward)
