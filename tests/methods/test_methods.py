"""What holds for every way to train."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr.methods.registry import METHODS, WATCHED
from ltr.methods.registry import method as find_method

STEPS = 60


def counts(mask: Any) -> list[int]:
    return [int(layer.sum()) for layer in jax.tree.leaves(mask)]


OTHER = ("supermask", "gem_miner", "gradual", "gradual_linear")
"""Methods whose network has more or fewer weights during the training."""

TOTAL = ("gem_miner", "concrete", "concrete_kl", "bernoulli_gates", "supermask")
"""Methods that decide how many weights each layer has."""


@pytest.fixture(scope="class")
def trained(name: str, train: Callable[..., Any]) -> Any:
    """A lane that each method trained, which its tests share."""
    return train(name, STEPS)


@pytest.mark.parametrize("name", [*METHODS, *WATCHED], scope="class")
class TestEveryMethod:
    def test_its_network_keeps_as_many_weights_in_each_layer_and_the_others_are_zero(
        self, name: str, trained: Any, mask: Any
    ) -> None:
        for lane in (trained.lanes[0], trained.lanes[-1]):
            kept, weights = jax.device_get(trained.method.network(lane))
            assert name in OTHER or sum(counts(kept)) == sum(counts(mask))
            assert name in OTHER + TOTAL or counts(kept) == counts(mask)
            for layer in ("dense_1", "dense_2", "output"):
                assert not weights[layer]["kernel"][~kept[layer]["kernel"]].any()

    def test_what_it_finds_has_exactly_as_many_weights(
        self, name: str, train: Callable[..., Any], mask: Any
    ) -> None:
        trained = train(name, STEPS, span=(0, STEPS))
        if trained.method.found is None:
            assert not find_method(name).finds_mask
            return
        mask_found, inverted = trained.method.found(jax.device_get(trained.lanes[-1]))
        assert find_method(name).has_scores == (inverted is not None)
        for found in (mask_found, inverted or mask_found):
            assert sum(counts(found)) == sum(counts(mask))
            assert name in TOTAL or counts(found) == counts(mask)

    def test_it_learns(self, name: str, trained: Any, loss: Callable[[Any], float]) -> None:
        if name == "concrete_kl":
            pytest.skip("it learns to answer as the untrained network; see test_concrete.py")
        before, after = (trained.method.network(lane)[1] for lane in (trained.lanes[0], trained.lanes[-1]))
        assert loss(after) < 0.9 * loss(before)

    def test_a_lane_keeps_its_structure_and_types(self, name: str, trained: Any) -> None:
        first, last = trained.lanes[0], trained.lanes[-1]
        assert jax.tree.structure(first) == jax.tree.structure(last)
        for one, other in zip(*map(jax.tree.leaves, (first, last)), strict=True):
            assert (np.shape(one), np.asarray(one).dtype) == (np.shape(other), np.asarray(other).dtype)

    def test_the_same_beginning_ends_the_same(
        self, name: str, trained: Any, train: Callable[..., Any]
    ) -> None:
        again = train(name, STEPS)
        jax.tree.map(np.testing.assert_array_equal, again.lanes[-1], trained.lanes[-1])
