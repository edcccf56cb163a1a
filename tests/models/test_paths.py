"""Paths of kept weights through networks, found by hand or by trying every weight."""

from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.config.parse import parse
from ltr.core import masks
from ltr.models.layers import Conv, flatten
from ltr.models.lenet import LeNet
from ltr.models.model import Model, from_linen
from ltr.models.paths import PathFinder
from ltr.models.registry import NETWORKS, build
from tests.marks import slow_but

IMAGE = (2, 1, 1)
LENET = from_linen(LeNet((3, 3), 2), IMAGE, input_layer="dense_1")
FIND = PathFinder(LENET, IMAGE)


def dense(model: Model) -> Any:
    return masks.ones(jax.eval_shape(model.init, jax.random.key(0)), model.layer_types)


def by_hand(layers: list[np.ndarray]) -> tuple[int, list[int]]:
    """Outputs that are reached, and dead units by layer, from the products of the matrices."""
    before = [np.ones(len(layers[0]), bool)]
    for layer in layers:
        before.append((before[-1] @ layer) > 0)
    behind = [np.ones(layers[-1].shape[1], bool)]
    for layer in layers[:0:-1]:
        behind.insert(0, (layer @ behind[0]) > 0)
    dead = [int((~(one & other)).sum()) for one, other in zip(before[1:], behind, strict=True)]
    return int(before[-1].sum()), dead


kernels = st.tuples(*(st.lists(st.booleans(), min_size=n, max_size=n) for n in (6, 9, 6)))


@given(kernels)
def test_paths_through_dense_layers_are_those_of_the_products_of_their_masks(drawn: Any) -> None:
    shapes = ((2, 3), (3, 3), (3, 2))
    layers = [np.array(values, bool).reshape(shape) for values, shape in zip(drawn, shapes, strict=True)]
    names = ("dense_1", "dense_2", "output")
    kept = {name: {"bias": None, "kernel": layer} for name, layer in zip(names, layers, strict=True)}
    outputs, dead = by_hand(layers)
    found = FIND(kept)
    assert (found.outputs, [found.dead_units[name] for name in names]) == (outputs, dead)
    assert found.all_dead_units == sum(dead)


@pytest.mark.parametrize("name", slow_but({"lenet_300_100", "conv2"}, NETWORKS))
def test_the_whole_network_has_no_dead_unit(name: str) -> None:
    shape = (16, 16, 3)
    model = build(parse({"model": {"name": name, "width": 0.05}}).model, shape, 5)
    kept = dense(model)
    found = PathFinder(model, shape)(kept)
    assert (found.outputs, found.all_dead_units) == (5, 0)
    unknown = {layer for layer, count in found.dead_units.items() if count is None}
    assert {layer.rpartition("/")[2] for layer in unknown} == ({"query", "key"} if "vit" in name else set())
    kept["output"]["kernel"][:, 1:4] = False
    assert PathFinder(model, shape)(kept).outputs == 2


def test_a_shortcut_keeps_a_path_open_past_an_empty_layer() -> None:
    shape = (8, 8, 3)
    model = build(parse({"model": {"name": "resnet20", "width": 0.1}}).model, shape, 4)
    kept, find = dense(model), PathFinder(model, shape)
    kept["block_1"]["conv_1"]["kernel"][:] = False
    found = find(kept)
    assert found.outputs == 4
    channels = kept["block_1"]["conv_1"]["kernel"].shape[-1]
    assert {name: count for name, count in found.dead_units.items() if count} == {
        "block_1/conv_1": channels,
        "block_1/conv_2": channels,
    }
    kept["conv_1"]["kernel"][:] = False
    assert find(kept).outputs == 0


class Taps(nn.Module):
    """Two convolutions of an image of one pixel, which only the middle tap of a window reaches."""

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        x = nn.relu(Conv(2, name="conv_1")(x))
        return nn.Dense(2, name="output")(flatten(Conv(2, name="conv_2")(x)))


def test_a_weight_that_meets_padding_alone_is_no_path() -> None:
    model = from_linen(Taps(), (1, 1, 1))
    kept = dense(model)
    kept["conv_2"]["kernel"][1, 1, 0] = False
    found = PathFinder(model, (1, 1, 1))(kept)
    assert found.dead_units == {"conv_1": 1, "conv_2": 0, "output": 0}
    assert found.outputs == 2


class Halves(nn.Module):
    """A network in which a sigmoid makes a value of nothing."""

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        return nn.Dense(2, name="output")(nn.sigmoid(nn.Dense(3, name="dense_1")(flatten(x))))


def test_of_a_network_that_makes_values_of_zeros_nothing_is_known() -> None:
    model = from_linen(Halves(), IMAGE)
    found = PathFinder(model, IMAGE)(dense(model))
    assert found.outputs is None
    assert found.dead_units == {"dense_1": None, "output": None}
    assert found.all_dead_units is None
