import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.config.schema import LayerRates, Pruning
from ltr.config.schema import Model as ModelConfig
from ltr.core import masks
from ltr.errors import ConfigError
from ltr.models import registry as models
from ltr.models.kernel_shape import KernelShape
from ltr.models.model import Model
from ltr.pruning import prune as pruning
from ltr.pruning.criteria import PruningInput
from ltr.pruning.targets import fraction_of, kept, layer_rates, met_by, targets

PAPER = [100, 80.04, 64.06, 51.28, 41.05, 32.87, 26.32, 21.07, 16.88, 13.52, 10.83]
PAPER += [8.68, 6.95, 5.57, 4.47, 3.58, 2.87, 2.31, 1.85, 1.49, 1.19]
"""LeNet-300-100 on MNIST after 0 to 20 prunings, in percent (Frankle & Carbin, 2019)."""

EQUAL = LayerRates(output=1.0)
SCOPES = ("layerwise", "global", "uniform", "erk")
LAYER_TYPES = {"dense_1": {"bias": None, "kernel": "dense"}, "output": {"bias": None, "kernel": "output"}}


def lenet() -> tuple[Model, Any]:
    """LeNet-300-100 for MNIST and the shapes of its parameters."""
    model = models.build(ModelConfig("lenet_300_100"), (28, 28, 1), 10)
    return model, jax.eval_shape(model.init, jax.random.key(0))


def of(
    config: Pruning, rounds: int, *shapes: tuple[int, ...], rate: float = 0.2, layer_types: Sequence[str] = ()
) -> list[Any]:
    """Targets of layers of these shapes: a number, or a list of them, for each round."""
    kind = dict(enumerate(layer_types or ["dense"] * len(shapes)))
    layers = {n: {"kernel": KernelShape("", shape, "io")} for n, shape in enumerate(shapes)}
    found = targets(config, rate, rounds, {n: {"kernel": kind[n]} for n in layers}, layers)
    return [target if isinstance(target, int) else jax.tree.leaves(target) for target in found]


def really_prune(model: Model, params: Any, config: Pruning, rate: float, rounds: int) -> list[list[int]]:
    """Counts of a network pruned by what its weights are, drawn anew every round."""
    generator = np.random.default_rng(0)
    mask = masks.ones(params, model.layer_types)
    found = []
    for target in targets(config, rate, rounds, model.layer_types, model.kernels)[1:]:
        trained = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), params)
        mask = pruning.select(
            config, model.layer_types, PruningInput(trained, trained, mask, jax.random.key(0)), target
        )
        found.append([int(layer.sum()) for layer in jax.tree.leaves(mask)])
    return found


# By rate


def test_densities_foretold_are_those_of_the_paper() -> None:
    model, _ = lenet()
    found = [
        kept(target) / 266_200 for target in targets(Pruning(), 0.2, 20, model.layer_types, model.kernels)
    ]
    assert [100 * density for density in found] == pytest.approx(PAPER, abs=0.01)


def test_densities_of_really_pruned_weights_are_those_of_the_paper() -> None:
    model, shapes = lenet()
    found = [sum(counts) / 2662 for counts in really_prune(model, shapes, Pruning(), 0.2, 20)]
    assert found == pytest.approx(PAPER[1:], abs=0.01)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("output", [0.0, 1.0])
def test_what_is_foretold_is_what_pruning_does(
    scope: Any, output: float, network: Model, params: Any
) -> None:
    config = Pruning(scope=scope, rates=LayerRates(output=output))
    foretold = targets(config, 0.17, 8, network.layer_types, network.kernels)[1:]
    done = really_prune(network, params, config, 0.17, 8)
    assert [sum(counts) for counts in done] == [kept(target) for target in foretold]
    if scope != "global":
        assert done == [jax.tree.leaves(target) for target in foretold]
    if output == 0:
        assert {counts[-1] for counts in done} == {18}


@given(count=st.integers(1, 1000), hundredths=st.integers(1, 99))
def test_one_layer_is_the_same_in_every_scope(count: int, hundredths: int) -> None:
    config = (Pruning(scope=scope, rates=EQUAL) for scope in SCOPES)
    layerwise, *others = ([kept(t) for t in of(c, 5, (count, 1), rate=hundredths / 100)] for c in config)
    assert others == [layerwise] * 3
    assert layerwise[1] == count - count * hundredths // 100


def test_counts_are_floored_once_where_layers_are_pruned_together() -> None:
    layers, layer_types = [(5, 1), (5, 1), (10, 1)], ("dense", "dense", "output")
    spare = LayerRates(output=0.0)
    assert of(Pruning(rates=spare), 1, *layers, rate=0.3, layer_types=layer_types)[1] == [4, 4, 10]
    assert of(Pruning(scope="global", rates=spare), 1, *layers, rate=0.3, layer_types=layer_types)[1] == 17
    assert of(Pruning(scope="uniform", rates=spare), 1, *layers, rate=0.3, layer_types=layer_types)[1] == [
        4,
        3,
        10,
    ]


@pytest.mark.parametrize(
    ("rate", "count", "pruned"),
    [("0.29", 100, 29), ("0.07", 100, 7), ("0.2", 300 * 784, 47040), ("0.1", 9, 0), ("0.99", 100, 99)],
)
def test_a_fraction_is_exact_where_floats_are_not(rate: str, count: int, pruned: int) -> None:
    """int(0.29 * 100) is 28."""
    assert fraction_of(Fraction(rate), count) == pruned


def test_rates_are_exact_and_go_by_the_kind_of_layer() -> None:
    assert layer_rates(Pruning(), 0.29, LAYER_TYPES) == {
        "dense_1": {"bias": None, "kernel": Fraction(29, 100)},
        "output": {"bias": None, "kernel": Fraction(29, 200)},
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Pruning(rates=LayerRates(dense=5.0)), "pruning.rates.dense=5.0: times prune_rate=0.2 must be less"),
        (Pruning(scope="global"), "pruning.scope=global: pruning.rates must be equal, or 0"),
        (Pruning(scope="erk"), "pruning.scope=erk: pruning.rates must be equal, or 0"),
    ],
)
def test_rates_that_cannot_be(config: Pruning, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        layer_rates(config, 0.2, LAYER_TYPES)


@pytest.mark.parametrize("scope", SCOPES)
def test_where_every_rate_is_0_nothing_is_pruned(scope: Any) -> None:
    config = Pruning(scope=scope, rates=LayerRates(dense=0.0))
    assert [kept(target) for target in of(config, 2, (3, 4), (4, 5))] == [32] * 3


# By a list of densities


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("global", [100, 50, 5]),
        ("uniform", [[80, 20], [40, 10], [4, 1]]),
        # epsilon is 50 / 27, then 5 / 27: shares 33.3 and 16.7, then 3.3 and 1.7
        ("erk", [[80, 20], [33, 17], [3, 2]]),
    ],
)
def test_a_list_of_densities(scope: Any, expected: list[Any]) -> None:
    config = Pruning(scope=scope, rates=EQUAL, densities=(0.5, 0.05))
    assert of(config, 2, (8, 10), (4, 5)) == expected
    assert of(config, 1, (8, 10), (4, 5)) == expected[:2]


def test_a_density_is_met_by_the_nearest_whole_number() -> None:
    config = Pruning(scope="global", rates=EQUAL, densities=(0.8**2, 0.579, 0.333))
    assert of(config, 3, (10, 10)) == [100, 64, 58, 33]


def test_densities_are_of_all_prunable_layers_those_never_pruned_included() -> None:
    layers, spare = {"layer_types": ("dense", "output")}, LayerRates(output=0.0)
    for scope, expected in {"global": 50, "uniform": [30, 20], "erk": [30, 20]}.items():
        config = Pruning(scope=scope, rates=spare, densities=(0.5,))  # type: ignore[arg-type]
        assert of(config, 1, (8, 10), (4, 5), **layers)[1] == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("scope", ["global", "uniform", "erk"])
def test_a_density_below_what_is_never_pruned_is_an_error(scope: Any) -> None:
    config = Pruning(scope=scope, rates=LayerRates(output=0.0), densities=(0.5, 0.2))
    with pytest.raises(ConfigError) as caught:
        of(config, 2, (8, 10), (4, 5), layer_types=("dense", "output"))
    assert str(caught.value) == (
        "pruning.densities: 0.2 must be more than 0.2, the share of layers that are never pruned"
    )


def test_a_layer_that_would_be_emptied_is_known_before_training() -> None:
    config = Pruning(scope="uniform", rates=EQUAL, densities=(0.5, 0.02))
    with pytest.raises(ConfigError, match=r"^pruning.scope=uniform: round 2 would empty layer 1;"):
        of(config, 2, (8, 10), (4, 5))
    assert len(of(config, 1, (8, 10), (4, 5))) == 2


shapes = st.lists(st.tuples(st.integers(2, 30), st.integers(2, 30)), min_size=1, max_size=5)


@given(layers=shapes, hundredths=st.integers(1, 60), scope=st.sampled_from(["uniform", "erk"]))
def test_shared_counts_add_up_and_never_rise(
    layers: list[tuple[int, int]], hundredths: int, scope: Any
) -> None:
    """Largest remainders alone would raise a count here and there as the total falls, and no mask nest."""
    try:
        found = of(Pruning(scope=scope, rates=EQUAL), 6, *layers, rate=hundredths / 100)
    except ConfigError:
        return
    totals = of(Pruning(scope="global", rates=EQUAL), 6, *layers, rate=hundredths / 100)
    assert [sum(counts) for counts in found] == totals
    for earlier, later in itertools.pairwise(found):
        assert all(one >= other for one, other in zip(earlier, later, strict=True))


def test_a_mask_meets_the_target_that_counts_its_weights() -> None:
    mask = {"one": {"kernel": np.array([[True, False], [True, True]]), "bias": None}}
    mask |= {"two": {"kernel": np.array([False, True]), "bias": None}}
    assert met_by(Pruning(scope="global"), mask) == 4
    each = {"one": {"kernel": 3, "bias": None}, "two": {"kernel": 1, "bias": None}}
    assert met_by(Pruning(scope="uniform"), mask) == each
