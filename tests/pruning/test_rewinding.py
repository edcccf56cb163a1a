from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ltr.config.schema import Duration, Experiment, Optimizer, Pruning, Rewind
from ltr.core import masks
from ltr.errors import ConfigError
from ltr.models.model import Model
from ltr.pruning.checks import check
from ltr.pruning.registry import REWINDINGS

floats = st.floats(width=32, allow_nan=False)


@given(saved=arrays(np.float32, (3, 4), elements=floats), kept=arrays(bool, (3, 4)))
@pytest.mark.parametrize("name", REWINDINGS)
def test_a_rewound_weight_is_bitwise_its_saved_value_times_its_mask(
    name: str, saved: np.ndarray, kept: np.ndarray
) -> None:
    mask, here = {"kernel": kept, "bias": None}, {"kernel": saved, "bias": saved[0]}
    elsewhere = jax.tree.map(lambda leaf: leaf + 1, here)
    trained, rewind_params = (elsewhere, here) if name == "weights" else (here, elsewhere)
    rewound = jax.tree.map(np.asarray, REWINDINGS[name].load()(mask, trained, rewind_params))
    assert rewound["kernel"].dtype == np.float32
    assert rewound["kernel"].tobytes() == np.where(kept, saved, np.float32(0)).tobytes()
    assert rewound["bias"].tobytes() == saved[0].tobytes()


@pytest.mark.parametrize("name", REWINDINGS)
def test_every_rewinding_leaves_pruned_weights_at_zero(
    name: str, network: Model, params: Any, mask: Any
) -> None:
    rewound = REWINDINGS[name].load()(mask, jax.tree.map(np.negative, params), params)
    masks.tree_map(lambda m, x: m is None or np.testing.assert_array_equal(x[~m], 0), mask, rewound)
    assert jax.tree.structure(rewound) == jax.tree.structure(params)


def test_spans() -> None:
    """Of a dense training of 100 steps, rewound to step 30."""
    assert {name: rewinding.span(100, 30) for name, rewinding in REWINDINGS.items()} == {
        "weights": (30, 100),
        "learning_rate": (30, 100),
        "fine_tune": (100, 170),
        "continued": (0, 100),
    }


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (
            Experiment(pruning=Pruning(densities=(0.5,))),
            "pruning.densities=[0.5]: needs pruning=global, uniform or erk; "
            "layerwise has a rate for each layer",
        ),
        (
            Experiment(rewind=Rewind("continued"), rewind_step=Duration(5)),
            "rewind_step=5: must be 0 with rewind=continued",
        ),
        (
            Experiment(rewind=Rewind("fine_tune"), optimizer=Optimizer(schedule="cosine")),
            "optimizer.schedule=cosine: ends at 0, which rewind=fine_tune cannot train at",
        ),
    ],
)
def test_rewindings_that_cannot_be(experiment: Experiment, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(experiment)
    assert str(caught.value) == message
