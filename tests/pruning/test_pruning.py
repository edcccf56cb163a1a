"""A whole pruning: criterion, signs, scope and target together."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltr.config.schema import LayerRates, Pruning
from ltr.core import masks
from ltr.models.kernel_shape import KernelShape
from ltr.models.model import Model
from ltr.pruning import prune as pruning
from ltr.pruning.criteria import PruningInput
from ltr.pruning.registry import CRITERIA, SIGNS
from ltr.pruning.selection import emptied
from ltr.pruning.targets import targets

EQUAL = LayerRates(output=1.0)
SCOPES = ("layerwise", "global", "uniform", "erk")
LAYER_TYPES = {"dense_1": {"bias": None, "kernel": "dense"}, "output": {"bias": None, "kernel": "output"}}
KEY = jax.random.key(0)


def prune(config: Pruning, trained: Any, rate: float, initial: Any = None) -> Any:
    """The first pruning of a network of `LAYER_TYPES`."""
    evidence = PruningInput(
        trained if initial is None else initial, trained, masks.ones(trained, LAYER_TYPES), KEY
    )
    kernels = jax.tree.map(lambda leaf: KernelShape("", leaf.shape, "io"), trained)
    return pruning.select(config, LAYER_TYPES, evidence, targets(config, rate, 1, LAYER_TYPES, kernels)[1])


def network_of(dense: Any, output: Any) -> Any:
    """Weights of two layers, and biases that are smaller than they."""
    tiny = np.full(3, 1e-6, np.float32)
    return {
        "dense_1": {"bias": tiny, "kernel": np.array(dense, np.float32)},
        "output": {"bias": tiny, "kernel": np.array(output, np.float32)},
    }


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("criterion", CRITERIA)
@settings(max_examples=10)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate=st.sampled_from([0.1, 0.2, 0.37]),
    sign=st.sampled_from(sorted(SIGNS)),
)
def test_counts_are_exact_and_masks_are_nested(
    scope: Any, criterion: str, seed: int, rate: float, sign: Any, network: Model, params: Any
) -> None:
    config = Pruning(criterion=criterion, sign=sign, scope=scope, rates=EQUAL)
    generator = np.random.default_rng(seed)
    mask = masks.ones(params, network.layer_types)
    for round_number, target in enumerate(targets(config, rate, 3, network.layer_types, network.kernels)[1:]):
        initial, trained = (
            jax.tree.map(lambda leaf: generator.normal(size=leaf.shape).astype(np.float32), params)
            for _ in range(2)
        )
        evidence = PruningInput(initial, masks.apply(mask, trained), mask, jax.random.key(round_number))
        pruned = pruning.select(config, network.layer_types, evidence, target)
        counts = jax.tree.map(np.count_nonzero, pruned)
        assert (sum(jax.tree.leaves(counts)) if scope == "global" else counts) == target
        for earlier, later in zip(*map(jax.tree.leaves, (mask, pruned)), strict=True):
            assert not (later & ~earlier).any()
        mask = pruned


@pytest.mark.parametrize("scope", SCOPES)
def test_signs_do_not_matter_and_biases_are_never_pruned(scope: Any) -> None:
    kernel = np.array([[0.1, -0.2, 0.3], [-0.4, 0.5, -0.6]], np.float32)
    pruned = prune(Pruning(scope=scope, rates=EQUAL), network_of(kernel, kernel * 1.01), 0.5)
    for layer in pruned.values():
        assert layer["bias"] is None
        np.testing.assert_array_equal(layer["kernel"], [[False] * 3, [True] * 3])


def test_a_layer_that_is_emptied_globally_is_named() -> None:
    network = network_of(np.full((2, 2), 0.1), np.ones((2, 2)))
    assert emptied(prune(Pruning(scope="global", rates=EQUAL), network, 0.5)) == "dense_1"
    assert emptied(prune(Pruning(scope="global", rates=EQUAL), network, 0.25)) is None


@pytest.mark.parametrize("scope", SCOPES)
def test_a_kind_of_layer_may_be_spared(scope: Any) -> None:
    trained = network_of(np.arange(1.0, 11).reshape(2, 5), np.zeros((2, 5)))
    pruned = prune(Pruning(scope=scope, rates=LayerRates(output=0.0)), trained, 0.2)
    assert pruned["output"]["kernel"].all()
    assert pruned["dense_1"]["kernel"].ravel().tolist() == [False] * 2 + [True] * 8


def test_one_shot_to_a_density() -> None:
    config = Pruning(scope="global", rates=EQUAL, densities=(0.05,))
    trained = network_of(np.arange(1, 101).reshape(10, 10), np.full((10, 10), 99.5))
    mask = prune(config, trained, 0.2)
    assert masks.density(mask) == 0.05
    assert np.flatnonzero(mask["dense_1"]["kernel"]).tolist() == [99]


# Signs

INITIAL = [[1.0, -1, 1, -1, 1, -1]]
TRAINED = [[6.0, 5, -4, -3, 2, 1]]
"""Signs agree in places 0, 3, 4; the magnitudes fall."""


@pytest.mark.parametrize(
    ("sign", "count", "expected"),
    [
        ("any", 3, [0, 1, 2]),
        ("same", 2, [0, 3]),
        ("same", 3, [0, 3, 4]),
        ("different", 2, [1, 2]),
        ("different", 3, [1, 2, 5]),
    ],
)
def test_weights_of_the_wrong_sign_are_pruned_before_all_others(
    sign: Any, count: int, expected: list[int]
) -> None:
    mask = prune(
        Pruning(sign=sign, scope="uniform", rates=EQUAL, densities=(count / 6,)),
        network_of(TRAINED, TRAINED),
        0.2,
        network_of(INITIAL, INITIAL),
    )
    assert np.flatnonzero(mask["dense_1"]["kernel"]).tolist() == sorted(expected)


# Ties


def assert_even(kept: np.ndarray) -> None:
    """Neither half of the inputs, nor of the outputs, has more than its share but by chance."""
    for axis in (0, 1):
        for half in np.array_split(kept, 2, axis):
            deviation = np.sqrt(kept.mean() * (1 - kept.mean()) / kept.size)
            assert half.mean() == pytest.approx(kept.mean(), abs=5 * deviation)


@pytest.mark.parametrize(("sign", "changed"), [("different", 0.078), ("same", 0.922)])
@pytest.mark.parametrize("scope", SCOPES)
def test_weights_of_the_wrong_sign_are_pruned_at_random(scope: Any, sign: Any, changed: float) -> None:
    """By index, the first half of the inputs would have a density of 7.8 %, the last of 92.2 %."""
    generator = np.random.default_rng(0)
    initial = network_of(*generator.normal(size=(2, 80, 60)))
    flips = network_of(*np.where(generator.random((2, 80, 60)) < changed, -1, 1))
    mask = prune(
        Pruning(sign=sign, scope=scope, rates=EQUAL), jax.tree.map(np.multiply, initial, flips), 0.5, initial
    )
    for name, layer in mask.items():
        is_right = (flips[name]["kernel"] < 0) == (sign == "different")
        assert layer["kernel"][is_right].all()
        assert_even(layer["kernel"])


@pytest.mark.parametrize("criterion", CRITERIA)
def test_weights_of_one_size_are_pruned_at_random_under_every_criterion(criterion: str) -> None:
    """Constant initial weights, and trained ones quantised to one level; signs are drawn."""
    generator = np.random.default_rng(0)
    initial, trained = (network_of(*generator.choice([-1, 1], (2, 80, 60))) for _ in range(2))
    mask = prune(Pruning(criterion=criterion, rates=EQUAL), trained, 0.5, initial)
    assert_even(mask["dense_1"]["kernel"])


@pytest.mark.parametrize("criterion", CRITERIA)
def test_each_sign_gives_another_mask_under_every_criterion(criterion: str) -> None:
    generator = np.random.default_rng(0)
    initial, trained = (network_of(*generator.normal(size=(2, 4, 6))) for _ in range(2))
    found = [
        prune(Pruning(criterion=criterion, sign=sign, rates=EQUAL), trained, 0.6, initial)
        for sign in ("any", "same", "different")
    ]
    for one, other in itertools.combinations(found, 2):
        assert (one["dense_1"]["kernel"] != other["dense_1"]["kernel"]).any()
    for mask, right in zip(found[1:], (1, -1), strict=True):
        signs = np.sign(initial["output"]["kernel"] * trained["output"]["kernel"])
        assert (signs[mask["output"]["kernel"]] == right).all()
