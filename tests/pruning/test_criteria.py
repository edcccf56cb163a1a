from typing import Any

import jax
import numpy as np
import pytest

from ltr.pruning.criteria import CRITERIA, magnitude


def test_magnitude_is_of_the_trained_weight_alone() -> None:
    trained = {"kernel": np.array([-3, -0.5, 0, 2], np.float32)}
    initial = {"kernel": np.array([9, 9, 9, 9], np.float32)}
    np.testing.assert_array_equal(magnitude(initial, trained)["kernel"], [3, 0.5, 0, 2])


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_scores_every_weight(name: str, params: Any) -> None:
    before = jax.tree.map(np.copy, params)
    scores = CRITERIA[name](params, jax.tree.map(np.negative, params))
    for score, weights, untouched in zip(*map(jax.tree.leaves, (scores, params, before)), strict=True):
        assert score.shape == weights.shape
        assert score.dtype == np.float32
        assert np.isfinite(score).all()
        np.testing.assert_array_equal(weights, untouched)
