"""Gradual magnitude pruning, against plain NumPy."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config.schema import Pruning
from ltr.core import masks, optimizers
from ltr.data.dataset import Dataset
from ltr.engine.examples import lay_out, normalise
from ltr.methods import weights
from ltr.methods.gradual import BEGIN, END, PRUNINGS, kept
from ltr.methods.method import MethodContext
from ltr.models import operations
from ltr.models.model import Model
from tests.methods.conftest import ADAM, STEPS_PER_EPOCH
from tests.methods.conftest import STEPS as OF_DENSE
from tests.methods.gated import kernels

STEPS = 100
POWERS = {"gradual": 3, "gradual_linear": 1}


def planned(step: int, size: int, target: int, power: int) -> int:
    """How many weights are left after a step, by the formula of the paper."""
    times = int(PRUNINGS * np.clip((step / STEPS - BEGIN) / (END - BEGIN), 0, 1) + 1e-4)
    sparsity = (1 - target / size) * (1 - (1 - times / PRUNINGS) ** power)
    return size - round(size * sparsity)


def trained(train: Callable[..., Any], name: str, **more: Any) -> list[Any]:
    lanes: list[Any] = train(name, STEPS, span=(0, STEPS), **more).lanes
    return lanes


@pytest.mark.parametrize("name", POWERS)
def test_each_layer_is_pruned_by_the_schedule(name: str, train: Callable[..., Any], mask: Any) -> None:
    lanes = trained(train, name)
    for step, lane in enumerate(lanes):
        for layer, target in zip(kernels(kept(lane)), kernels(mask), strict=True):
            expected = planned(step, layer.size, target.sum(), POWERS[name])
            assert abs(layer.sum() - expected) <= (0 if step in (0, STEPS) else 1)
    counts = [sum(layer.sum() for layer in kernels(kept(lane))) for lane in lanes]
    changes = [step for step, (one, other) in enumerate(itertools.pairwise(counts)) if one != other]
    assert BEGIN * STEPS <= changes[0] < changes[-1] <= END * STEPS


def test_both_schedules_end_alike_and_the_cubic_one_prunes_earlier(train: Callable[..., Any]) -> None:
    cubic, linear = (
        [sum(layer.sum() for layer in kernels(kept(lane))) for lane in trained(train, name)]
        for name in POWERS
    )
    assert cubic[-1] == linear[-1] < cubic[0]
    assert cubic[STEPS // 4] < linear[STEPS // 4]


@pytest.mark.parametrize("scope", ["layerwise", "global"])
def test_the_smallest_of_the_weights_left_are_pruned(
    scope: str, train: Callable[..., Any], network: Model, blobs: Dataset, mask: Any
) -> None:
    """Told by a step of the weights alone: what it ends with is what is compared."""
    context = MethodContext(
        network, optimizers.build(ADAM, OF_DENSE, STEPS_PER_EPOCH), OF_DENSE, STEPS_PER_EPOCH
    )
    data, advance = lay_out(blobs), jax.jit(weights.build(context).step)
    images = jax.jit(normalise)(data.images, data)
    lanes = trained(train, "gradual", pruning=Pruning(scope=scope))
    pruned = 0
    for step, (before, after) in enumerate(itertools.pairwise(lanes)):
        old, new = (kernels(kept(lane)) for lane in (before, after))
        going = [one & ~other for one, other in zip(old, new, strict=True)]
        assert not any((other & ~one).any() for one, other in zip(old, new, strict=True))
        if not any(layer.any() for layer in going):
            continue
        ended, _ = advance(before._replace(mask=kept(before)), images, data.labels, np.int32(step))
        sizes = [np.abs(layer) for layer in kernels(ended.params)]
        pairs = [(size[gone], size[left]) for size, gone, left in zip(sizes, going, new, strict=True)]
        if scope == "global":
            pairs = [tuple(np.concatenate(side) for side in zip(*pairs, strict=True))]
        for gone, left in pairs:
            pruned += gone.size
            assert gone.size == 0 or gone.max() <= left.min()
    total = sum(layer.size for layer in kernels(mask))
    assert pruned == total - sum(layer.sum() for layer in kernels(mask))
    if scope == "global":
        assert [layer.sum() for layer in new] != [layer.sum() for layer in kernels(mask)]


def test_pruned_weights_and_their_moments_stay_zero(train: Callable[..., Any]) -> None:
    for lane in trained(train, "gradual")[50::10]:
        for tree in (lane.params, lane.opt_state[0].mu, lane.opt_state[0].nu):
            for layer, left in zip(kernels(tree), kernels(kept(lane)), strict=True):
                assert not layer[~left].any()
        assert any((~left).any() for left in kernels(kept(lane)))


def test_operations_are_those_of_the_weights_that_each_step_had(
    train: Callable[..., Any], network: Model
) -> None:
    lanes = jax.device_get(trained(train, "gradual"))
    method = train("gradual", 0, span=(0, STEPS)).method
    expected = 0
    for lane in lanes[:-1]:
        used = jax.tree.map(np.asarray, kept(lane))
        expected += operations.step(network, used, used)
    whole = jax.tree.map(np.ones_like, lanes[0].mask)
    assert method.operations(lanes[-1], 0, STEPS) == expected < STEPS * operations.step(network, whole, whole)
    assert method.operations(lanes[-1], 0, 7) == 7 * operations.step(network, whole, whole)
    assert masks.count(kept(lanes[-1])) < masks.count(whole)
