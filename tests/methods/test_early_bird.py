"""Early-bird detection, against a replay of the training on the host."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config.schema import LayerRates, Optimizer, Pruning
from ltr.core import masks
from ltr.methods import early_bird
from ltr.methods.early_bird import QUEUE, TOLERANCE
from ltr.models.model import Model
from ltr.pruning import selection
from ltr.pruning.prune import spare
from tests.marks import slow

PER_EPOCH = 4
STEPS = 200
RESTLESS = Optimizer(name="adam", learning_rate=0.3, schedule="cosine")
KEY = jax.random.key(0)
"""Draws nothing: no two weights are equal."""


def half(mask: Any) -> Any:
    """A target: half of what the mask keeps in each layer."""
    return jax.tree.map(lambda layer: int(layer.sum()) // 2, mask)


def flat(mask: Any) -> np.ndarray:
    return np.concatenate([np.asarray(layer).ravel() for layer in jax.tree.leaves(mask)])


def replayed(drawn: list[np.ndarray], weights: int) -> int | None:
    """The first step at which the newest mask is near the four before it."""
    for epoch in range(QUEUE, len(drawn) + 1):
        *others, newest = drawn[epoch - QUEUE : epoch]
        if max(np.sum(newest != other) for other in others) <= TOLERANCE * weights:
            return PER_EPOCH * epoch
    return None


def sizes(lane: Any) -> Any:
    return masks.tree_map(lambda m, w: None if m is None else np.abs(w), lane.mask, lane.params)


@pytest.mark.parametrize(
    "config", [slow(Optimizer(learning_rate=0.001), id="calm"), pytest.param(RESTLESS, id="restless")]
)
def test_it_finds_the_step_at_which_masks_agree(
    config: Optimizer, train: Callable[..., Any], mask: Any
) -> None:
    trained = train("early_bird", STEPS, config, target=half(mask))
    ends = trained.lanes[PER_EPOCH::PER_EPOCH]
    drawn = [flat(selection.layerwise(sizes(lane), mask, half(mask), KEY)) for lane in ends]
    found = trained.method.notes(trained.lanes[-1])["early_bird_step"]
    assert found == replayed(drawn, masks.count(mask))
    assert (found == PER_EPOCH * QUEUE) is (config is not RESTLESS)


def test_together_with_a_layer_that_is_never_pruned(
    train: Callable[..., Any], mask: Any, network: Model
) -> None:
    rates = LayerRates(output=0)
    pruning, total = Pruning(scope="global", rates=rates), masks.count(mask) // 2
    trained = train("early_bird", STEPS, RESTLESS, target=total, pruning=pruning)
    drawn = [
        selection.globally(spare(sizes(lane), network.layer_types, rates), mask, total, KEY)
        for lane in trained.lanes[PER_EPOCH::PER_EPOCH]
    ]
    assert all((one["output"]["kernel"] == mask["output"]["kernel"]).all() for one in drawn)
    last = trained.lanes[-1]
    assert trained.method.notes(last)["early_bird_step"] == replayed(
        [flat(one) for one in drawn], masks.count(mask)
    )
    newest = jax.tree.map(lambda queue: np.asarray(queue)[-1], last.method_state["queue"])
    np.testing.assert_array_equal(flat(newest), flat(drawn[-1]))


def test_it_changes_nothing_of_the_training(train: Callable[..., Any]) -> None:
    watched, plain = (train(name, 30).lanes[-1] for name in ("early_bird", "weights"))
    jax.tree.map(np.testing.assert_array_equal, watched._replace(method_state=()), plain)


@pytest.mark.parametrize("steps", [PER_EPOCH * QUEUE - 1, PER_EPOCH * QUEUE])
def test_five_epochs_are_the_least(steps: int, train: Callable[..., Any]) -> None:
    """A target that prunes nothing is always the same mask."""
    trained = train("early_bird", steps)
    found = trained.method.notes(trained.lanes[-1])["early_bird_step"]
    assert found == (steps if steps == PER_EPOCH * QUEUE else None)


def test_the_distance_is_the_fraction_of_the_rounds_weights_that_differ() -> None:
    generator = np.random.default_rng(0)
    queue = {"a": generator.random((QUEUE, 3, 4)) < 0.5, "b": generator.random((QUEUE, 5)) < 0.5}
    rows = np.concatenate([layer.reshape(QUEUE, -1) for layer in queue.values()], axis=1)
    expected = np.array([np.sum(rows[-1] != other) for other in rows[:-1]])
    distances = jax.jit(early_bird.distances)
    dense = jax.tree.map(lambda layer: np.ones_like(layer[0]), queue)
    np.testing.assert_allclose(distances(queue, dense), expected / 17)
    sparse = dense | {"a": np.zeros_like(dense["a"])}
    np.testing.assert_allclose(distances(queue, sparse), expected / 5)
