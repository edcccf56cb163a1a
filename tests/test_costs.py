"""Floating-point operations, and time in dense steps."""

from typing import Any

import jax
import pytest

from ltr import costs, masks, models, optimizers
from ltr.config import Model as ModelConfig
from ltr.config import Optimizer as Config
from ltr.costs import Costs
from ltr.methods import Parts
from ltr.models import Model

LAYERS = ("dense_1", "dense_2", "output")
COSTS = Costs({"dense_1": {"kernel": 60.0, "bias": None}, "output": {"kernel": 30.0, "bias": None}}, 10.0)
DENSITIES = {"dense_1": {"kernel": 0.5, "bias": None}, "output": {"kernel": 0.1, "bias": None}}
SGD = optimizers.build(Config(name="sgd"), 1, 1)


def test_flops_of_convolutions_are_those_of_plain_ones() -> None:
    """Forward, and backward to weights and inputs, at each pixel inside the image, whatever the CPU does."""
    model = models.build(ModelConfig("conv2", width=0.25), (8, 8, 3), 10)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    places = (3 * 8 - 2) ** 2  # of a 3x3 kernel on 8x8 pixels, those that fall on the image
    products = 2 * sum(
        places * kernel.size / 9 if layer.startswith("conv") else kernel.size
        for layer, kernel in ((layer, leaves["kernel"]) for layer, leaves in shapes.items())
    )
    flops = costs.step_operations(Parts(model, SGD, 1, 1), 1000, (8, 8, 3))
    assert 1000 * 2.8 * products < flops < 1000 * 3.3 * products
    assert products < costs.example_operations(model, (8, 8, 3)) < 1.1 * products


def test_flops_of_a_step_are_three_products_a_layer(network: Model, params: Any) -> None:
    """Forward, and backward to weights and, but for the first layer, to inputs; the rest is small change."""
    sizes = [params[layer]["kernel"].size for layer in LAYERS]
    products = 2 * 1000 * (3 * sum(sizes) - sizes[0])
    flops = costs.step_operations(Parts(network, SGD, 1, 1), 1000, (4, 4, 1))
    assert products < flops < 1.5 * products
    assert 2 * sum(sizes) < costs.example_operations(network, (4, 4, 1)) < 2.5 * sum(sizes)


@pytest.mark.parametrize(("name", "image"), [("lenet_300_100", (28, 28, 1)), ("conv2", (16, 16, 3))])
def test_products_make_up_nearly_all_of_a_step_of_the_dense_network(name: str, image: Any) -> None:
    model = models.build(ModelConfig(name), image, 10)
    found = costs.costs(Parts(model, SGD, 1, 1), 60, image)
    dense = found.operations(costs.planned(sum(leaf.size for leaf in sizes(model)), kernels(model)))
    assert dense == pytest.approx(costs.step_operations(Parts(model, SGD, 1, 1), 60, image), rel=0.1)
    assert found.rest < 0.1 * dense


def kernels(model: Model) -> Any:
    return masks.where(model.kinds, jax.eval_shape(model.init, jax.random.key(0)))


def sizes(model: Model) -> list[Any]:
    return jax.tree.leaves(kernels(model))


class TestOfAStep:
    def test_operations_are_those_of_weights_that_are_there(self) -> None:
        assert COSTS.operations(DENSITIES) == pytest.approx(60 * 0.5 + 30 * 0.1 + 10)

    @pytest.mark.parametrize(
        ("packed", "expected"),
        [
            ({}, 1.0),
            ({"dense_1": 1.0}, (60 * 0.5 + 30 + 10) / 100),
            ({"dense_1": 0.4, "output": 0.2}, (60 + 30 * 0.5 + 10) / 100),
        ],
    )
    def test_time_is_saved_in_packed_layers_below_their_crossover(
        self, packed: dict[str, float], expected: float
    ) -> None:
        assert COSTS.time(DENSITIES, packed) == pytest.approx(expected)


def test_densities_are_planned_by_layer_or_evenly(network: Model, params: Any) -> None:
    of_layers = masks.tree_map(lambda kind, leaf: kind and leaf.size // 2, network.kinds, params)
    for target in (of_layers, sum(leaf.size for leaf in sizes(network)) // 2):
        found = costs.planned(target, kernels(network))
        assert jax.tree.leaves(found) == pytest.approx([0.5] * 3)


def test_frozen_weights_take_part_in_products(params: Any, mask: Any) -> None:
    kept = [leaf.mean() for leaf in jax.tree.leaves(mask)]
    assert jax.tree.leaves(costs.present(mask, masks.apply(mask, params))) == pytest.approx(kept)
    assert jax.tree.leaves(costs.present(mask, params)) == [1.0] * 3
