from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr import masks, models, pruning
from ltr.config import LayerRates, Pruning
from ltr.config import Model as ModelConfig
from ltr.models import Model
from ltr.pruning.densities import densities

LENET = [(784 * 300, Fraction("0.2")), (300 * 100, Fraction("0.2")), (100 * 10, Fraction("0.1"))]
PAPER = [100, 80.04, 64.06, 51.28, 41.05, 32.87, 26.32, 21.07, 16.88, 13.52, 10.83]
PAPER += [8.68, 6.95, 5.57, 4.47, 3.58, 2.87, 2.31, 1.85, 1.49, 1.19]
"""LeNet-300-100 on MNIST after 0 to 20 prunings, in percent (Frankle & Carbin, 2019)."""


def really_prune(model: Model, params: Any, config: Pruning, rate: float, rounds: int) -> list[float]:
    """Densities of a network pruned by what its weights are, drawn anew every round."""
    generator = np.random.default_rng(0)
    rates = pruning.layer_rates(config, rate, model.kinds)
    mask = masks.ones(params, model.kinds)
    found = [masks.density(mask)]
    for _ in range(rounds):
        trained = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), params)
        mask = pruning.prune(config, params, trained, mask, rates)
        found.append(masks.density(mask))
    return found


def percent(found: Sequence[float]) -> list[float]:
    return [100 * density for density in found]


def test_densities_foretold_are_those_of_the_paper() -> None:
    assert percent(densities(LENET, "layerwise", 20)) == pytest.approx(PAPER, abs=0.01)


def test_densities_of_really_pruned_weights_are_those_of_the_paper() -> None:
    model = models.build(ModelConfig("lenet_300_100"), (28, 28, 1), 10)
    found = really_prune(model, jax.eval_shape(model.init, jax.random.key(0)), Pruning(), 0.2, 20)
    assert percent(found) == pytest.approx(PAPER, abs=0.01)


@pytest.mark.parametrize("scope", ["layerwise", "global"])
@pytest.mark.parametrize("output", [0.0, 1.0])
def test_what_is_foretold_is_what_pruning_does(
    scope: Any, output: float, network: Model, params: Any
) -> None:
    config = Pruning(scope=scope, rates=LayerRates(output=output))
    rates = pruning.layer_rates(config, 0.17, network.kinds)
    layers = [
        (params[name]["kernel"].size, rates[name]["kernel"]) for name in ("dense_1", "dense_2", "output")
    ]
    assert densities(layers, scope, 8) == really_prune(network, params, config, 0.17, 8)


@given(count=st.integers(1, 1000), hundredths=st.integers(0, 99))
def test_one_layer_is_the_same_in_either_scope(count: int, hundredths: int) -> None:
    layer = [(count, Fraction(hundredths, 100))]
    assert densities(layer, "layerwise", 5) == densities(layer, "global", 5)


def test_global_counts_are_floored_once_not_once_a_layer() -> None:
    layers = [(5, Fraction("0.3")), (5, Fraction("0.3")), (10, Fraction(0))]
    assert densities(layers, "layerwise", 1) == [1, 18 / 20]
    assert densities(layers, "global", 1) == [1, 17 / 20]
