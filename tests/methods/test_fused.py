"""Steps with gradients of kernels as factors against those with gradients, which optax takes."""

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import kernels
from ltr.config.schema import Duration, Optimizer
from ltr.core import masks, optimizers
from ltr.core.registry import OPTIMIZERS
from ltr.data.dataset import Dataset
from ltr.engine.examples import lay_out, normalise
from ltr.methods import weights
from ltr.methods.method import Lane, MethodContext, apply_update
from ltr.models.model import Model
from tests.marks import slow_but

pytestmark = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")

LAYERS = ("dense_1", "dense_2", "output")
DECAYS = {"no decay": {}, "all": {"decayed": "all"}, "kernels": {"decayed": "kernels"}}
SCHEDULES = {"constant": {}, "cosine": {"schedule": "cosine", "warmup": Duration(2)}}
DENSITIES = (1.0, 0.5, 0.0)

CASES = {
    f"{name}, {decay}, {schedule}": Optimizer(
        name=name,
        learning_rate=0.02,
        weight_decay=0.1 if DECAYS[decay] else 0.0,
        **DECAYS[decay],
        **SCHEDULES[schedule],
    )
    for name, decay, schedule in itertools.product(OPTIMIZERS, DECAYS, SCHEDULES)
}


QUICK = {
    *("adam, kernels, cosine", "momentum, no decay, constant", "sgd, all, constant"),
}
"""Each optimizer, decay and schedule."""


@pytest.fixture(scope="module")
def steps(network: Model) -> Callable[..., list[tuple[Lane, Any]]]:
    """A lane and its loss after each of four steps."""

    @cache
    def compiled(config: Optimizer, fused: tuple[str, ...]) -> Callable[..., tuple[Lane, Any]]:
        context = MethodContext(network, optimizers.build(config, 10, 4), 10, 4, fused=fused)
        return jax.jit(weights.build(context).step)

    def steps(
        config: Optimizer, lane: Lane, images: Any, labels: Any, fused: tuple[str, ...]
    ) -> list[tuple[Lane, Any]]:
        after = [(lane, np.float32(0))]
        for number in range(4):
            after.append(compiled(config, fused)(after[-1][0], images, labels, jnp.int32(number)))
        return after[1:]

    return steps


def started(network: Model, config: Optimizer, params: Any, density: float, frozen: bool = False) -> Lane:
    generator = np.random.default_rng(3)
    mask = masks.tree_map(
        lambda kept: None if kept is None else generator.random(kept.shape) < density,
        masks.ones(params, network.layer_types),
    )
    params = params if frozen else masks.apply(mask, params)
    state = optimizers.build(config, 10, 4).direction.init(params)
    return Lane(params, state, mask, np.zeros(2, np.uint32), np.float32(0))


def assert_same(found: list[tuple[Lane, Any]], expected: list[tuple[Lane, Any]]) -> None:
    """Weights, states and losses differ by a few roundings of the norm of an array, at most."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    trees = ([(lane.params, lane.opt_state, loss) for lane, loss in steps] for steps in (found, expected))
    for one, other in zip(*map(jax.tree.leaves, trees), strict=True):
        error = np.linalg.norm(np.asarray(one, np.float64) - np.asarray(other, np.float64))
        assert error <= 3e-6 * np.linalg.norm(other)


@pytest.fixture(scope="module")
def batch(blobs: Dataset) -> Any:
    """Images of which half of the pixels are zero, normalised and as bytes, and their labels."""
    images = np.where(blobs.train.images < 75, 0, blobs.train.images)[:20]
    chosen = np.random.default_rng(0).permutation(20).astype(np.int32)
    floats = normalise(images[chosen], lay_out(blobs))
    return (
        floats,
        kernels.byte_images(images, chosen, blobs.mean, blobs.std),
        blobs.train.labels[:20][chosen],
    )


@pytest.mark.parametrize("case", slow_but(QUICK, CASES))
def test_weights_and_states_are_those_of_optax_at_each_step(
    case: str, steps: Callable[..., Any], network: Model, params: Any, batch: Any
) -> None:
    floats, of_bytes, labels = batch
    for density in DENSITIES:
        lane = started(network, CASES[case], params, density)
        expected = steps(CASES[case], lane, floats, labels, ())
        assert_same(steps(CASES[case], lane, of_bytes, labels, LAYERS), expected)


def test_pruned_weights_that_are_frozen_stay(
    steps: Callable[..., Any], network: Model, params: Any, batch: Any
) -> None:
    floats, _, labels = batch
    config = CASES["adam, no decay, constant"]
    lane = started(network, config, params, 0.5, frozen=True)
    found = steps(config, lane, floats, labels, LAYERS)
    assert_same(found, steps(config, lane, floats, labels, ()))
    for name in LAYERS:
        pruned = ~lane.mask[name]["kernel"]
        np.testing.assert_array_equal(
            np.asarray(found[-1][0].params[name]["kernel"])[pruned], params[name]["kernel"][pruned]
        )


def test_the_gradient_of_a_fused_kernel_is_never_written(network: Model, params: Any, batch: Any) -> None:
    """The compiled step multiplies no gradient of its kernels, and updates them where they are."""
    _, of_bytes, labels = batch
    lane = started(network, Optimizer(), params, 1.0)
    context = MethodContext(network, optimizers.build(Optimizer(), 10, 4), 10, 4, fused=LAYERS)
    step = jax.jit(weights.build(context).step, donate_argnums=0)
    text = step.lower(lane, of_bytes, labels, jnp.int32(0)).as_text()
    assert text.count("ltr_fused_adam_of_bytes") == 1
    assert text.count("ltr_fused_adam_of_floats") == 2
    assert text.count("output_operand_alias<") == 9, "kernel, mean and variance of three layers"


def test_an_optimizer_without_a_step_by_factors_is_refused(network: Model, params: Any, batch: Any) -> None:
    config = Optimizer(clip=1.0)
    lane, optimizer = started(network, config, params, 1.0), optimizers.build(config, 10, 4)
    assert optimizer.kernel_step is None
    with pytest.raises(ValueError, match="dense_1: the optimizer cannot step by factors"):
        jax.eval_shape(
            lambda lane: apply_update(optimizer, lane, lane.params, jnp.int32(0), factors={"dense_1": None}),
            lane,
        )
