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

highest = jax.jit(compiled.keep_highest)


@given(score=any_score, kept=any_mask, share=st.floats(0, 1))
def test_the_highest_are_kept_and_of_equal_ones_the_later(
    score: np.ndarray, kept: np.ndarray, share: float
) -> None:
    count = round(share * kept.sum())
    found = highest(score, kept, np.int32(count))
    np.testing.assert_array_equal(found, selection.keep_highest(score, kept, count))


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
    assert_same(jax.jit(compiled.layerwise)(scores, mask, counts), selection.layerwise(scores, mask, counts))


def test_all_layers_together() -> None:
    scores, mask = trees()
    found = jax.jit(compiled.globally)(scores, mask, 12)
    assert_same(found, selection.globally(scores, mask, 12))
    assert found["a"]["kernel"].sum() < found["b"]["kernel"].sum()
