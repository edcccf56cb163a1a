from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ltr.config.schema import Duration, Optimizer
from ltr.core import masks, optimizers
from ltr.core.registry import OPTIMIZERS, AdamOptions
from ltr.data.dataset import Dataset
from ltr.engine.program import examples, normalise
from ltr.methods import weights
from ltr.methods.method import Lane, MethodContext
from ltr.models.model import Model

DROPS = (Duration(20), Duration(2, "ep"))
SCHEDULES = {
    "constant": Optimizer(schedule="constant"),
    "warm-up": Optimizer(schedule="constant", warmup=Duration(10)),
    "warm-up by epochs": Optimizer(schedule="constant", warmup=Duration(1, "ep")),
    "step": Optimizer(schedule="step", drops=DROPS),
    "warm-up, step": Optimizer(schedule="step", drops=DROPS, drop_factor=0.5, warmup=Duration(40)),
    "cosine": Optimizer(schedule="cosine"),
    "warm-up, cosine": Optimizer(schedule="cosine", warmup=Duration(100)),
}
RATES: dict[str, dict[int, float]] = {
    "constant": {0: 1, 50: 1, 99: 1},
    "warm-up": {0: 0, 1: 0.1, 5: 0.5, 10: 1, 99: 1},
    "warm-up by epochs": {0: 0, 15: 0.5, 30: 1},
    "step": {0: 1, 19: 1, 20: 0.1, 59: 0.1, 60: 0.01, 99: 0.01},
    "warm-up, step": {10: 0.25, 20: 0.25, 30: 0.375, 40: 0.5, 60: 0.25},
    "cosine": {0: 1, 25: 0.85355339, 50: 0.5, 75: 0.14644661, 100: 0},
    "warm-up, cosine": {0: 0, 25: 0.21338835, 50: 0.25},
}
"""Share of the highest learning rate by step, of 100 steps, 30 an epoch."""

UPDATES = {
    f"{name} {label}": Optimizer(
        name=name, learning_rate=0.05, weight_decay=decay, schedule=schedule, warmup=warmup, drops=DROPS
    )
    for name in OPTIMIZERS
    for label, decay, schedule, warmup in (
        ("constant", 0.0, "constant", Duration(0)),
        ("decay step", 0.1, "step", Duration(0)),
        ("decay warm-up cosine", 0.1, "cosine", Duration(2)),
    )
}
KERNELS = {"dense_1": (16, 8), "dense_2": (8, 6), "output": (6, 3)}
any_mask = st.fixed_dictionaries(
    {
        name: st.fixed_dictionaries({"bias": st.none(), "kernel": arrays(bool, shape)})
        for name, shape in KERNELS.items()
    }
)


@pytest.mark.parametrize("name", SCHEDULES)
def test_learning_rates(name: str) -> None:
    rate = optimizers.build(SCHEDULES[name], 100, 30).learning_rate
    found = {step: float(rate(jnp.int32(step))) for step in RATES[name]}
    expected = {step: 1.2e-3 * share for step, share in RATES[name].items()}
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.fixture(scope="session")
def steps(network: Model, blobs: Dataset) -> Callable[..., list[Lane]]:
    """The states of a lane after each of some optimizer steps."""
    data = examples(blobs)
    images, labels = normalise(data.images[:20], data), data.labels[:20]

    @cache
    def compiled(config: Optimizer) -> tuple[Any, Any]:
        optimizer = optimizers.build(config, 100, 30)
        method = weights.build(MethodContext(network, optimizer, 100, 30))
        step = jax.jit(lambda lane, number: method.step(lane, images, labels, number)[0])
        return optimizer.direction.init, step

    def take(config: Optimizer, params: Any, mask: Any, count: int = 4) -> list[Lane]:
        init, step = compiled(config)
        params = masks.apply(mask, params)
        states = [Lane(params, init(params), mask, np.zeros(2, np.uint32), np.zeros((), np.float32))]
        for number in range(count):
            states.append(step(states[-1], jnp.int32(number)))
        return states[1:]

    return take


def like_weights(lane: Lane) -> list[Any]:
    """The weights, and each momentum or moment of them."""
    trees = jax.tree.leaves(lane.opt_state, is_leaf=lambda node: isinstance(node, dict))
    return [lane.params, *(tree for tree in trees if isinstance(tree, dict))]


@pytest.mark.parametrize("config", UPDATES.values(), ids=UPDATES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=any_mask)
def test_weights_momenta_and_moments_of_pruned_connections_stay_exactly_zero(
    config: Optimizer, mask: Any, params: Any, steps: Callable[..., list[Lane]]
) -> None:
    for lane in steps(config, params, mask):
        trees = like_weights(lane)
        assert len(trees) == {"adam": 3, "momentum": 2, "sgd": 1}[config.name]
        for tree in trees:
            for name in KERNELS:
                pruned = np.asarray(tree[name]["kernel"])[~mask[name]["kernel"]]
                assert pruned.tobytes().strip(b"\0") == b""


@pytest.mark.parametrize("config", UPDATES.values(), ids=UPDATES)
def test_survivors_of_either_sign_move(
    config: Optimizer, params: Any, mask: Any, steps: Callable[..., list[Lane]]
) -> None:
    after = steps(config, params, mask)[-1].params
    for name in KERNELS:
        kept, before = mask[name]["kernel"], params[name]["kernel"]
        moved = np.asarray(after[name]["kernel"]) != before
        for sign in (before > 0, before < 0):
            assert moved[kept & sign].any()
        assert (after[name]["bias"] != params[name]["bias"]).any()


def test_updates_by_hand(steps: Callable[..., list[Lane]], params: Any, network: Model) -> None:
    """With gradients g1, g2: sgd moves by g1, g2; momentum by g1, 0.9 g1 + g2; adam first by their signs."""
    dense = masks.ones(params, network.layer_types)
    config = {name: Optimizer(name=name, learning_rate=1e-4) for name in OPTIMIZERS}
    bias = {
        name: [params["output"]["bias"], *(np.asarray(lane.params["output"]["bias"]) for lane in taken)]
        for name, taken in ((name, steps(config[name], params, dense, 2)) for name in config)
    }
    moves = {name: -np.diff(np.stack(values), axis=0) / 1e-4 for name, values in bias.items()}
    np.testing.assert_allclose(np.abs(moves["adam"][0]), 1, rtol=1e-2)
    np.testing.assert_array_equal(np.sign(moves["adam"][0]), np.sign(moves["sgd"][0]))
    np.testing.assert_allclose(moves["momentum"][0], moves["sgd"][0], rtol=1e-6)
    np.testing.assert_allclose(
        moves["momentum"][1], 0.9 * moves["sgd"][0] + moves["sgd"][1], rtol=1e-2, atol=2e-3
    )


def test_adam_is_the_adam_of_optax() -> None:
    """Over gradients of all sizes, as small as epsilon, and zeros; as far as float32 tells 0.999 from 1."""
    generator = np.random.default_rng(0)
    ours, theirs = optimizers.scale_by_adam(AdamOptions()), optax.scale_by_adam()
    weights = {"a": np.zeros((20, 30), np.float32), "b": np.zeros(7, np.float32)}
    scales = {"a": np.logspace(-10, 2, 600).reshape(20, 30), "b": np.array([0, 0, 1e-9, 1, 1, 1e-3, 50])}
    one, other = ours.init(weights), theirs.init(weights)
    for _ in range(50):
        gradients = jax.tree.map(
            lambda scale: (scale * generator.normal(size=scale.shape)).astype(np.float32), scales
        )
        (direction, one), (expected, other) = ours.update(gradients, one), theirs.update(gradients, other)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=3e-5), direction, expected)
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_pulls_to_zero(
    name: str, steps: Callable[..., list[Lane]], params: Any, network: Model
) -> None:
    dense = masks.ones(params, network.layer_types)
    plain, decayed = (
        steps(Optimizer(name=name, learning_rate=0.1, weight_decay=decay), params, dense, 1)[0].params
        for decay in (0.0, 0.5)
    )
    for layer in KERNELS:
        difference = np.asarray(plain[layer]["kernel"]) - np.asarray(decayed[layer]["kernel"])
        np.testing.assert_allclose(difference, 0.1 * 0.5 * params[layer]["kernel"], rtol=1e-3, atol=1e-6)
