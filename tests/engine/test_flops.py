"""Floating-point operations, by hand, and time in dense steps."""

from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest

from ltr.config.schema import Model as ModelConfig
from ltr.config.schema import Optimizer as Config
from ltr.core import masks, optimizers
from ltr.engine import flops
from ltr.engine.flops import Costs
from ltr.methods import rigl_schedule
from ltr.methods.method import Lane, MethodContext
from ltr.methods.registry import METHODS
from ltr.models import operations
from ltr.models import registry as models
from ltr.models.layers import BatchNorm, Conv, Dense, flatten
from ltr.models.model import Model, from_linen
from ltr.models.registry import NETWORKS
from tests.marks import slow_but

LAYERS = ("dense_1", "dense_2", "output")
COSTS = Costs({"dense_1": {"kernel": 60.0, "bias": None}, "output": {"kernel": 30.0, "bias": None}}, 10.0)
DENSITIES = {"dense_1": {"kernel": 0.5, "bias": None}, "output": {"kernel": 0.1, "bias": None}}
SGD = optimizers.build(Config(name="sgd"), 1, 1)


class Strided(nn.Module):
    """Two convolutions, the second in strides of 2, with batch normalisation, and an output."""

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        x = nn.relu(Conv(2, name="conv_1")(images))
        x = Conv(3, stride=2, use_bias=False, name="conv_2")(x)
        x = BatchNorm(use_running_average=not train, name="norm")(x)
        return Dense(4, name="output")(flatten(x))


@pytest.fixture(scope="module")
def strided() -> tuple[Model, Any]:
    """For images of 5 x 4 pixels and one channel; and its mask of all weights."""
    model = from_linen(Strided(), (5, 4, 1))
    return model, masks.ones(jax.eval_shape(model.init, jax.random.key(0)), model.layer_types)


class TestOperations:
    def test_are_two_a_product_by_hand(self, strided: tuple[Model, Any]) -> None:
        """conv_1 uses taps of rows at 4, 5, 4 pixels and of columns at 3, 4, 3: 13 x 10; no inputs' gradient.

        conv_2 computes rows 0, 2, 4 and columns 0, 2: taps at 2, 3, 2 and at 1, 2, 2. The output reads 18.
        """
        model, whole = strided
        by_hand = {"conv_1": 2 * (13 * 10 * 2), "conv_2": 3 * (7 * 5 * 2 * 3), "output": 3 * (18 * 4)}
        found = operations.by_layer(model, whole, whole)
        assert {name: found[name]["kernel"] for name in by_hand} == {n: 2 * p for n, p in by_hand.items()}
        assert operations.step(model, whole, whole) == 2 * sum(by_hand.values())

    def test_go_with_the_weights_alone(self, strided: tuple[Model, Any]) -> None:
        """A corner tap and the middle one of conv_1, one of conv_2, nothing else: no overhead is left."""
        model, whole = strided
        mask = jax.tree.map(np.zeros_like, whole)
        assert operations.step(model, mask, mask) == 0
        mask["conv_1"]["kernel"][0, 0, 0, 0] = mask["conv_1"]["kernel"][1, 1, 0, 1] = True
        mask["conv_2"]["kernel"][0, 2, 1, 0] = True
        assert operations.step(model, mask, mask) == 2 * (2 * (4 * 3 + 5 * 4) + 3 * (2 * 2))

    def test_of_frozen_weights_are_forward_and_of_inputs(self, strided: tuple[Model, Any]) -> None:
        model, whole = strided
        nothing = jax.tree.map(np.zeros_like, whole)
        assert operations.step(model, whole, nothing) == 2 * (13 * 10 * 2 + 2 * 7 * 5 * 6 + 2 * 72)

    @pytest.mark.parametrize("name", slow_but({"conv2"}, NETWORKS))
    def test_are_nearly_all_that_a_compiler_counts(self, name: str) -> None:
        """XLA counts the same products, and beside them activations, normalisation, loss and optimizer."""
        model = models.build(ModelConfig(name, width=0.3), (16, 16, 3), 10)
        found = flops.costs(MethodContext(model, SGD, 1, 1), 10, (16, 16, 3))
        assert 0 < found.overhead < 0.12 * found.operations

    def test_of_a_training_are_those_of_its_steps(self, network: Model, params: Any, mask: Any) -> None:
        kept = {layer: mask[layer]["kernel"].sum() for layer in LAYERS}
        of_step = 2 * (2 * kept["dense_1"] + 3 * kept["dense_2"] + 3 * kept["output"])
        method_context = MethodContext(network, SGD, 400, 4)
        assert (
            flops.training(method_context, "weights", mask, masks.apply(mask, params), 10, 150)
            == 140 * of_step
        )
        frozen = 2 * (16 * 8 + 2 * 8 * 6 + 2 * 6 * 3) + 2 * sum(kept.values())
        assert flops.training(method_context, "weights", mask, params, 0, 1) == frozen

    def test_of_moves_are_the_gradients_of_all_weights(self, network: Model, params: Any, mask: Any) -> None:
        """Of 400 steps, 300 with moves: at steps 0, 100 and 200."""
        method_context, weights = MethodContext(network, SGD, 400, 4), masks.apply(mask, params)
        still = flops.training(method_context, "weights", mask, weights, 0, 400)
        lane = Lane(weights, (), mask, np.zeros(2, np.uint32), np.float32(0))
        moving = METHODS["rigl"].load()(method_context).operations(lane, 0, 400)
        pruned = sum((~layer).sum() for layer in jax.tree.leaves(mask))
        assert moving - still == 3 * 2 * pruned
        assert rigl_schedule.EVERY == 100

    @pytest.mark.parametrize("method", ["supermask", "edge_popup"])
    def test_of_scores_are_those_of_all_weights(
        self, method: str, network: Model, params: Any, mask: Any
    ) -> None:
        found = flops.training(MethodContext(network, SGD, 400, 4), method, mask, params, 0, 1)
        assert found == 2 * (2 * 16 * 8 + 3 * 8 * 6 + 3 * 6 * 3)


def kernels(model: Model) -> Any:
    return masks.where(model.layer_types, jax.eval_shape(model.init, jax.random.key(0)))


def sizes(model: Model) -> list[Any]:
    return jax.tree.leaves(kernels(model))


class TestTimeOfAStep:
    @pytest.mark.parametrize(
        ("packed", "expected"),
        [
            ({}, 1.0),
            ({"dense_1": 1.0}, (60 * 0.5 + 30 + 10) / 100),
            ({"dense_1": 0.4, "output": 0.2}, (60 + 30 * 0.5 + 10) / 100),
        ],
    )
    def test_is_saved_in_packed_layers_below_their_crossover(
        self, packed: dict[str, float], expected: float
    ) -> None:
        assert COSTS.time(DENSITIES, packed) == pytest.approx(expected)


def test_densities_are_planned_by_layer_or_evenly(network: Model, params: Any) -> None:
    of_layers = masks.tree_map(lambda kind, leaf: kind and leaf.size // 2, network.layer_types, params)
    for target in (of_layers, sum(leaf.size for leaf in sizes(network)) // 2):
        found = flops.planned(target, kernels(network))
        assert jax.tree.leaves(found) == pytest.approx([0.5] * 3)
