from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import numpy as np
import optax
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ltr.config.schema import Duration, Optimizer
from ltr.core import masks, optimizers
from ltr.core.registry import OPTIMIZERS, AdamOptions
from ltr.data.dataset import Dataset
from ltr.engine.examples import lay_out, normalise
from ltr.methods import weights
from ltr.methods.method import Lane, MethodContext
from ltr.models.model import Model
from tests.marks import slow

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


def random_mask(seed: int, density: float) -> Any:
    generator = np.random.default_rng(seed)
    return {
        name: {"bias": None, "kernel": generator.random(shape) < density} for name, shape in KERNELS.items()
    }


@pytest.mark.parametrize("name", SCHEDULES)
def test_learning_rates(name: str) -> None:
    rate = jax.jit(optimizers.build(SCHEDULES[name], 100, 30).learning_rate)
    found = {step: float(rate(np.int32(step))) for step in RATES[name]}
    expected = {step: 1.2e-3 * share for step, share in RATES[name].items()}
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.fixture(scope="session")
def steps(network: Model, blobs: Dataset) -> Callable[..., list[Lane]]:
    """The states of a lane after each of some optimizer steps, in NumPy."""
    data = lay_out(blobs)
    images, labels = jax.jit(normalise)(data.images[:20], data), data.labels[:20]

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
            states.append(step(states[-1], np.int32(number)))
        return jax.device_get(states[1:])

    return take


def like_weights(lane: Lane) -> list[Any]:
    """The weights, and each momentum or moment of them."""
    trees = jax.tree.leaves(lane.opt_state, is_leaf=lambda node: isinstance(node, dict))
    return [lane.params, *(tree for tree in trees if isinstance(tree, dict))]


@pytest.mark.parametrize("config", UPDATES.values(), ids=UPDATES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=st.builds(random_mask, st.integers(0, 1000), st.floats(0, 1)))
def test_weights_momenta_and_moments_of_pruned_connections_stay_exactly_zero(
    config: Optimizer, mask: Any, params: Any, steps: Callable[..., list[Lane]]
) -> None:
    for lane in steps(config, params, mask):
        trees = like_weights(lane)
        assert len(trees) == {"adam": 3, "momentum": 2, "sgd": 1}[config.name]
        for tree in trees:
            for name in KERNELS:
                pruned = tree[name]["kernel"][~mask[name]["kernel"]]
                assert pruned.tobytes().strip(b"\0") == b""


@pytest.mark.parametrize("config", UPDATES.values(), ids=UPDATES)
def test_survivors_of_either_sign_move(
    config: Optimizer, params: Any, mask: Any, steps: Callable[..., list[Lane]]
) -> None:
    after = steps(config, params, mask)[-1].params
    for name in KERNELS:
        kept, before = mask[name]["kernel"], params[name]["kernel"]
        moved = after[name]["kernel"] != before
        for sign in (before > 0, before < 0):
            assert moved[kept & sign].any()
        assert (after[name]["bias"] != params[name]["bias"]).any()


def test_updates_by_hand(steps: Callable[..., list[Lane]], params: Any, network: Model) -> None:
    """With gradients g1, g2: sgd moves by g1, g2; momentum by g1, 0.9 g1 + g2; adam first by their signs."""
    dense = masks.ones(params, network.layer_types)
    config = {name: Optimizer(name=name, learning_rate=1e-4) for name in OPTIMIZERS}
    bias = {
        name: [params["output"]["bias"], *(lane.params["output"]["bias"] for lane in taken)]
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
    update, expected_update = jax.jit(ours.update), jax.jit(theirs.update)
    for _ in range(50):
        gradients = jax.tree.map(
            lambda scale: (scale * generator.normal(size=scale.shape)).astype(np.float32), scales
        )
        (direction, one), (expected, other) = update(gradients, one), expected_update(gradients, other)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=3e-5), direction, expected)
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_pulls_to_zero(
    name: str, steps: Callable[..., list[Lane]], params: Any, network: Model
) -> None:
    dense = masks.ones(params, network.layer_types)
    config = UPDATES[f"{name} constant"]
    plain, decayed = (
        steps(each, params, dense, 1)[0].params for each in (config, replace(config, weight_decay=0.5))
    )
    for layer in KERNELS:
        difference = plain[layer]["kernel"] - decayed[layer]["kernel"]
        expected = config.learning_rate * 0.5 * params[layer]["kernel"]
        np.testing.assert_allclose(difference, expected, rtol=1e-3, atol=1e-6)


def random_trees(seed: int, scale: float = 1.0) -> dict[str, Any]:
    """Gradients or weights of a layer, its normalisation and an embedding."""
    generator = np.random.default_rng(seed)
    shapes = {
        "dense": {"kernel": (5, 4), "bias": (4,)},
        "norm": {"scale": (4,), "bias": (4,)},
        "embedding": (3, 4),
    }
    return jax.tree.map(
        lambda shape: np.float32(scale) * generator.normal(size=shape).astype(np.float32),
        shapes,
        is_leaf=lambda node: isinstance(node, tuple),
    )


def norm(tree: Any) -> float:
    return float(np.linalg.norm(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])))


class TestClippingAndDecay:
    @pytest.mark.parametrize("decayed", ["all", "kernels"])
    @pytest.mark.parametrize("name", ["adam", slow("momentum")])
    def test_are_those_of_optax_step_by_step(self, name: str, decayed: Any) -> None:
        """Gradients of a norm of about 6 and, every other step, of 0.06."""
        config = Optimizer(name=name, learning_rate=0.01, weight_decay=0.2, decayed=decayed, clip=1.0)
        norm = {"scale": False, "bias": False}
        kernels = {"dense": {"kernel": True, "bias": False}, "norm": norm, "embedding": False}
        mask = kernels if decayed == "kernels" else None
        updates = {
            "adam": optax.adamw(0.01, weight_decay=0.2, mask=mask),
            "momentum": optax.chain(optax.add_decayed_weights(0.2, mask), optax.sgd(0.01, 0.9)),
        }
        theirs = optax.chain(optax.clip_by_global_norm(1.0), updates[name])
        ours = optimizers.build(config, 10, 1)
        weights = expected = random_trees(0)
        state, theirs_state = ours.direction.init(weights), theirs.init(expected)
        update, expected_update = jax.jit(ours.direction.update), jax.jit(theirs.update)
        for step in range(6):
            gradients = random_trees(step + 1, scale=0.01 if step % 2 else 1.0)
            direction, state = jax.device_get(update(gradients, state, weights))
            rate = np.float32(ours.learning_rate(np.int32(step)))
            weights = jax.tree.map(lambda w, along, rate=rate: w - rate * along, weights, direction)
            move, theirs_state = expected_update(gradients, theirs_state, expected)
            expected = jax.tree.map(np.add, expected, move)
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), weights, expected
            )

    def test_lanes_side_by_side_are_clipped_each_by_its_own_norm(self) -> None:
        direction = optimizers.build(Optimizer(name="sgd", clip=1.0), 10, 1).direction
        lanes = [random_trees(1, scale=100), random_trees(2, scale=1e-3)]

        def clipped(gradients: Any) -> Any:
            return direction.update(gradients, direction.init(gradients), gradients)[0]

        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *lanes)
        together = jax.device_get(jax.jit(jax.vmap(clipped))(stacked))
        norms = [norm(jax.tree.map(lambda leaf, n=n: leaf[n], together)) for n in (0, 1)]
        np.testing.assert_allclose(norms, [1, norm(lanes[1])], rtol=1e-5)

    def test_gradients_of_pruned_weights_do_not_count(
        self, steps: Callable[..., list[Lane]], params: Any, mask: Any
    ) -> None:
        """A step of plain gradient descent is as long as the norm, if that is of what moves alone."""
        config = Optimizer(name="sgd", learning_rate=0.1, clip=0.1)
        (after,) = steps(config, params, mask, 1)
        moves = jax.tree.map(np.subtract, after.params, masks.apply(mask, params))
        assert norm(moves) == pytest.approx(0.1 * 0.1, rel=1e-3)

    def test_biases_keep_to_their_own_where_kernels_alone_decay(
        self, steps: Callable[..., list[Lane]], params: Any, network: Model
    ) -> None:
        dense = masks.ones(params, network.layer_types)
        config = UPDATES["sgd constant"]
        plain, decayed = (
            steps(each, params, dense, 1)[0].params
            for each in (config, replace(config, weight_decay=0.5, decayed="kernels"))
        )
        for layer in KERNELS:
            np.testing.assert_allclose(plain[layer]["bias"], decayed[layer]["bias"], rtol=1e-6)
            assert (plain[layer]["kernel"] != decayed[layer]["kernel"]).any()
