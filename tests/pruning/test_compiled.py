"""Compiled selection keeps what selection on the host keeps."""

from typing import Any

import jax
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ltr.pruning import compiled, selection

SHAPE = (4, 5)
any_score = arrays.arrays(
    np.float32, SHAPE, elements=st.sampled_from([-np.inf, -2.0, -0.0, 0.0, 1e-30, 0.5, 0.75, np.inf])
)
any_mask = arrays.arrays(np.bool_, SHAPE)

KEY = jax.random.key(0)
highest = jax.jit(compiled.keep_highest)


@given(score=any_score, kept=any_mask, share=st.floats(0, 1), seed=st.integers(0, 3))
def test_the_highest_are_kept_and_of_equal_ones_those_that_the_host_draws(
    score: np.ndarray, kept: np.ndarray, share: float, seed: int
) -> None:
    count, key = round(share * kept.sum()), jax.random.key(seed)
    found = highest(score, kept, np.int32(count), key)
    np.testing.assert_array_equal(found, selection.keep_highest(score, kept, count, key))


def trees() -> tuple[Any, Any]:
    """Scores of two layers, one of them on a larger scale, and a mask that leaves a bias alone."""
    generator = np.random.default_rng(0)
    scores = {
        name: {"kernel": scale * generator.random((6, 4), np.float32), "bias": np.zeros(4)}
        for name, scale in (("a", 1), ("b", 3))
    }
    mask = {name: {"kernel": generator.random((6, 4)) < 0.7, "bias": None} for name in scores}
    return scores, mask


def assert_same(one: Any, other: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)
    assert jax.tree.structure(one) == jax.tree.structure(other)


def test_layers_by_their_own_counts() -> None:
    scores, mask = trees()
    counts = {"a": {"kernel": 3, "bias": None}, "b": {"kernel": 7, "bias": None}}
    for of in (scores, jax.tree.map(np.sign, scores)):
        found = jax.jit(compiled.layerwise)(of, mask, counts, KEY)
        assert_same(found, selection.layerwise(of, mask, counts, KEY))


def test_all_layers_together() -> None:
    scores, mask = trees()
    found = jax.jit(compiled.globally)(scores, mask, 12, KEY)
    assert_same(found, selection.globally(scores, mask, 12, KEY))
    assert found["a"]["kernel"].sum() < found["b"]["kernel"].sum()
