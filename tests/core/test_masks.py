from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from ltr.core import masks
from ltr.models.model import Model

MASK = {"kernel": np.array([[True, False], [False, True]]), "bias": None}


def test_the_dense_mask_keeps_every_kernel_and_says_nothing_of_biases(network: Model, params: Any) -> None:
    dense = masks.ones(params, network.layer_types)
    assert masks.count(dense) == 4 * 4 * 8 + 8 * 6 + 6 * 3
    assert masks.density(dense) == 1
    assert [layer["bias"] for layer in dense.values()] == [None] * 3
    assert all(layer["kernel"].all() for layer in dense.values())
    assert {layer["kernel"].dtype for layer in dense.values()} == {np.dtype(bool)}


@pytest.mark.parametrize("module", [np, jnp])
def test_apply_zeroes_what_is_pruned_and_nothing_else(module: Any) -> None:
    kernel = module.asarray([[-1.0, 2.0], [np.nan, np.inf]], np.float32)
    masked = masks.apply(MASK, {"kernel": kernel, "bias": module.asarray([5.0, 6.0])})
    assert type(masked["kernel"]) is type(kernel)
    assert masked["kernel"].dtype == np.float32
    np.testing.assert_array_equal(masked["kernel"], [[-1, 0], [0, np.inf]])
    np.testing.assert_array_equal(masked["bias"], [5, 6])


def test_density_is_of_all_layers_together() -> None:
    mask = {"a": MASK, "b": {"kernel": np.ones(6, bool), "bias": None}}
    assert masks.count(mask) == 8
    assert masks.density(mask) == 0.8


def test_tree_map_visits_what_is_not_masked_too() -> None:
    assert masks.tree_map(lambda m, x: x if m is None else 0, MASK, {"kernel": 1, "bias": 2}) == {
        "kernel": 0,
        "bias": 2,
    }


def test_where_keeps_what_can_be_pruned() -> None:
    assert masks.where(MASK, {"kernel": 1, "bias": 2}) == {"kernel": 1, "bias": None}


def test_a_layer_has_the_name_of_its_path() -> None:
    layers = {"stem": {"kernel": 1, "bias": None}, "block_1": {"conv_2": {"kernel": 2}}}
    assert masks.layer_names(layers) == {
        "stem": {"kernel": "stem", "bias": None},
        "block_1": {"conv_2": {"kernel": "block_1/conv_2"}},
    }
