"""Networks without dead units: the same function of everything."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.errors import ConfigError, LtrError
from ltr.export.compact import checked, compact, logits


def network(density: float, seed: int = 0, widths: tuple[int, ...] = (12, 9, 7, 3)) -> dict[str, Any]:
    """A random network of dense layers that keeps `density` of its weights."""
    generator = np.random.default_rng(seed)
    names = [*(f"dense_{n}" for n in range(1, len(widths) - 1)), "output"]
    return {
        name: {
            "kernel": (
                generator.normal(size=(one, other)) * (generator.random((one, other)) < density)
            ).astype(np.float32),
            "bias": generator.normal(size=other).astype(np.float32),
        }
        for name, one, other in zip(names, widths, widths[1:], strict=False)
    }


@given(st.sampled_from([0.02, 0.1, 0.2, 0.5, 1.0]), st.integers(0, 50))
def test_logits_stay_what_they_are(density: float, seed: int) -> None:
    params = network(density, seed)
    images = np.random.default_rng(seed + 1).normal(size=(20, 12)).astype(np.float32)
    narrow = compact(params)
    np.testing.assert_allclose(logits(narrow, images), logits(params, images), rtol=1e-4, atol=1e-5)


@given(st.integers(0, 50))
def test_no_dead_unit_is_left(seed: int) -> None:
    layers = list(compact(network(0.2, seed)).values())
    for layer, following in itertools.pairwise(layers):
        assert layer["kernel"].any(0).all()
        assert following["kernel"].any(1).all()


def test_what_a_unit_always_says_goes_to_the_next_bias() -> None:
    params = network(1.0, widths=(2, 2, 1))
    params["dense_1"]["kernel"][:, 0] = 0
    params["dense_1"]["bias"][:] = [3, 0]
    narrow = compact(params)
    assert narrow["dense_1"]["kernel"].shape == (2, 1)
    expected = params["output"]["bias"] + 3 * params["output"]["kernel"][0]
    np.testing.assert_allclose(narrow["output"]["bias"], expected)


def test_what_is_dead_because_of_another_goes_too() -> None:
    params = network(1.0, widths=(3, 2, 2, 1))
    params["dense_2"]["kernel"][:, 0] = 0
    params["output"]["kernel"][1] = 0
    assert [layer["kernel"].shape for layer in compact(params).values()] == [(3, 0), (0, 0), (0, 1)]


def test_what_is_no_chain_of_relus_is_refused() -> None:
    params, images = network(0.5), np.ones((4, 12), np.float32)
    assert checked(params, lambda x: logits(params, x), images)
    with pytest.raises(LtrError, match="this network needs all its units"):
        checked(params, lambda x: logits(params, x) + 1, images)


def test_the_network_that_is_given_stays_as_it_is() -> None:
    params = network(0.1)
    before = {name: {part: array.copy() for part, array in layer.items()} for name, layer in params.items()}
    compact(params)
    for name, layer in before.items():
        for part, array in layer.items():
            np.testing.assert_array_equal(params[name][part], array)


def test_layers_are_in_the_order_of_their_numbers() -> None:
    params = network(1.0, widths=tuple(range(3, 16)))
    images = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    in_order = [*(f"dense_{n}" for n in range(1, 12)), "output"]
    shuffled = {name: params[name] for name in sorted(params)}
    assert [*compact(shuffled)] == in_order
    np.testing.assert_allclose(logits(compact(shuffled), images), logits(params, images), rtol=1e-3)


def test_a_network_of_several_branches_is_refused() -> None:
    params = network(1.0)
    params["dense_2"]["kernel"] = np.ones((12, 7), np.float32)
    with pytest.raises(ConfigError, match="needs a chain of dense layers; dense_1 does not lead to the"):
        compact(params)


def test_a_first_layer_of_tokens_is_refused() -> None:
    rows = np.ones((4, 5, 12), np.float32)
    with pytest.raises(ConfigError, match="dense_1 does not read whole images"):
        checked(network(0.5), lambda images: images[:, 0, :3], rows)


def test_other_networks_are_refused() -> None:
    params = network(0.5)
    params["dense_1"]["kernel"] = np.zeros((3, 3, 1, 9), np.float32)
    with pytest.raises(ConfigError, match="needs a network of dense layers, and dense_1 is not dense"):
        compact(params)


def test_networks_with_parameters_of_their_own_are_refused() -> None:
    """The positions of a transformer, say."""
    with pytest.raises(ConfigError, match="needs a network of dense layers, and positions is not dense"):
        compact(network(0.5) | {"positions": np.zeros((1, 4, 9), np.float32)})
