from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ltr import masks
from ltr.models import Model
from ltr.rewinding import REWINDINGS

floats = st.floats(width=32, allow_nan=False)


@given(saved=arrays(np.float32, (3, 4), elements=floats), kept=arrays(bool, (3, 4)))
def test_a_rewound_weight_is_bitwise_its_saved_value_times_its_mask(
    saved: np.ndarray, kept: np.ndarray
) -> None:
    mask, origin = {"kernel": kept, "bias": None}, {"kernel": saved, "bias": saved[0]}
    trained = jax.tree.map(lambda leaf: leaf + 1, origin)
    rewound = jax.tree.map(np.asarray, REWINDINGS["weights"](mask, trained, origin))
    assert rewound["kernel"].dtype == np.float32
    assert rewound["kernel"].tobytes() == np.where(kept, saved, np.float32(0)).tobytes()
    assert rewound["bias"].tobytes() == saved[0].tobytes()


@pytest.mark.parametrize("name", REWINDINGS)
def test_every_rewinding_leaves_pruned_weights_at_zero(
    name: str, network: Model, params: Any, mask: Any
) -> None:
    rewound = REWINDINGS[name](mask, jax.tree.map(np.negative, params), params)
    masks.tree_map(lambda m, x: m is None or np.testing.assert_array_equal(x[~m], 0), mask, rewound)
    assert jax.tree.structure(rewound) == jax.tree.structure(params)
