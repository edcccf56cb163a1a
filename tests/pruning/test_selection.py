import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr import masks, pruning
from ltr.config import LayerRates, Pruning
from ltr.errors import ConfigError, LtrError
from ltr.pruning import selection

SELECTIONS = [selection.layerwise, selection.globally]
hundredths = st.integers(0, 99).map(lambda number: Fraction(number, 100))
seeds = st.integers(0, 2**32 - 1)


def layers(*kernels: Any) -> Any:
    """A tree of kernels, or of what is said of each, and of biases that are never pruned."""
    return {f"dense_{n}": {"bias": None, "kernel": kernel} for n, kernel in enumerate(kernels)}


def ones(*sizes: int) -> Any:
    return layers(*(np.ones(size, bool) for size in sizes))


def random(like: Any, seed: int, draw: Callable[[np.random.Generator, Any], Any]) -> Any:
    generator = np.random.default_rng(seed)
    return masks.tree_map(lambda leaf: None if leaf is None else draw(generator, leaf.shape), like)


def scores_like(mask: Any, seed: int) -> Any:
    """Few different values, so that there are ties."""
    return random(mask, seed, lambda generator, shape: generator.integers(0, 5, shape).astype(np.float32))


def flat(tree: Any) -> np.ndarray:
    return np.concatenate([layer["kernel"].ravel() for layer in tree.values()])


@pytest.mark.parametrize(
    ("rate", "count", "pruned"),
    [("0.29", 100, 29), ("0.07", 100, 7), ("0.2", 300 * 784, 47040), ("0.1", 9, 0), ("0.99", 100, 99)],
)
def test_a_fraction_is_exact_where_floats_are_not(rate: str, count: int, pruned: int) -> None:
    """int(0.29 * 100) is 28."""
    assert selection.fraction_of(Fraction(rate), count) == pruned


@pytest.mark.parametrize("select", SELECTIONS)
@given(rate=hundredths, size=st.integers(1, 200), seed=seeds)
def test_exactly_the_floor_of_the_rate_is_pruned_round_after_round(
    select: Callable[..., Any], rate: Fraction, size: int, seed: int
) -> None:
    mask = ones(size)
    for round in range(4):
        survivors = masks.count(mask)
        pruned = select(scores_like(mask, seed + round), mask, layers(rate))
        assert masks.count(pruned) == survivors - math.floor(rate * survivors)
        assert not (flat(pruned) & ~flat(mask)).any(), "masks are nested"
        mask = pruned


@pytest.mark.parametrize("select", SELECTIONS)
def test_of_equal_scores_the_first_are_pruned(select: Callable[..., Any]) -> None:
    mask = ones(5)
    pruned = select(layers(np.ones(5)), mask, layers(Fraction(1, 2)))
    assert flat(pruned).tolist() == [False, False, True, True, True]


@pytest.mark.parametrize("select", SELECTIONS)
def test_a_tie_goes_by_the_index_among_the_survivors(select: Callable[..., Any]) -> None:
    mask = layers(np.array([False, True, True, False, True, True]))
    pruned = select(layers(np.array([0, 3, 1, 0, 1, 1])), mask, layers(Fraction(1, 2)))
    assert flat(pruned).tolist() == [False, True, False, False, False, True]


@given(seed=seeds, rates=st.tuples(hundredths, hundredths))
def test_layerwise_is_sorting_each_layer_by_itself(seed: int, rates: tuple[Fraction, ...]) -> None:
    kept = random(ones(13, 40), seed, lambda generator, shape: generator.random(shape) < 0.7)
    scores = scores_like(kept, seed)
    pruned = selection.layerwise(scores, kept, layers(*rates))
    for layer, rate in zip(kept, rates, strict=True):
        alive = [i for i, keep in enumerate(kept[layer]["kernel"]) if keep]
        worst_first = sorted(alive, key=lambda i: (scores[layer]["kernel"][i], i))
        expected = sorted(worst_first[math.floor(rate * len(alive)) :])
        assert np.flatnonzero(pruned[layer]["kernel"]).tolist() == expected


@given(seed=seeds, rate=hundredths)
def test_global_is_sorting_all_layers_together(seed: int, rate: Fraction) -> None:
    kept = random(ones(13, 40, 7), seed, lambda generator, shape: generator.random(shape) < 0.7)
    scores = scores_like(kept, seed)
    alive, score = np.flatnonzero(flat(kept)), flat(scores)
    worst_first = sorted(alive, key=lambda i: (score[i], i))
    pruned = selection.globally(scores, kept, layers(rate, rate, rate))
    assert np.flatnonzero(flat(pruned)).tolist() == sorted(worst_first[math.floor(rate * len(alive)) :])


def test_global_compares_across_layers_where_layerwise_does_not() -> None:
    mask, scores = ones(4, 4), layers(np.arange(4.0), np.arange(10.0, 14.0))
    half = layers(Fraction(1, 2), Fraction(1, 2))
    assert flat(selection.globally(scores, mask, half)).tolist() == [False] * 4 + [True] * 4
    assert flat(selection.layerwise(scores, mask, half)).tolist() == [False, False, True, True] * 2


@pytest.mark.parametrize("select", SELECTIONS)
def test_a_rate_of_0_leaves_a_layer_alone(select: Callable[..., Any]) -> None:
    scores = layers(np.zeros(10), np.ones(10))
    pruned = select(scores, ones(10, 10), layers(Fraction(0), Fraction(1, 5)))
    assert pruned["dense_0"]["kernel"].all()
    assert masks.count(pruned) == 18


@given(seed=seeds)
def test_to_counts_keeps_the_best_of_all_weights_and_as_many_as_asked(seed: int) -> None:
    like = random(ones(13, 40), seed, lambda generator, shape: generator.random(shape) < 0.3)
    scores = random(like, seed, lambda generator, shape: generator.random(shape, np.float32))
    kept = selection.to_counts(scores, like)
    for layer, wanted in like.items():
        score, keep = scores[layer]["kernel"], kept[layer]["kernel"]
        assert keep.sum() == wanted["kernel"].sum()
        assert score[keep].min(initial=1) > score[~keep].max(initial=0)


def test_an_emptied_layer_is_an_error_that_names_it() -> None:
    mask = {"dense_1": {"kernel": np.array([True])}, "output": {"kernel": np.zeros((2, 3), bool)}}
    with pytest.raises(LtrError, match=r"^pruning emptied layer output \(6 weights\): lower prune_rate"):
        selection.require_alive(mask)


PRUNING = {scope: Pruning(scope=scope, rates=LayerRates(output=1.0)) for scope in ("layerwise", "global")}
KINDS = {"dense_1": {"bias": None, "kernel": "dense"}, "output": {"bias": None, "kernel": "output"}}


def prune(config: Pruning, trained: Any, rate: float) -> Any:
    mask = masks.ones(trained, KINDS)
    return pruning.prune(config, trained, trained, mask, pruning.layer_rates(config, rate, KINDS))


@pytest.mark.parametrize("config", PRUNING.values(), ids=PRUNING)
def test_signs_do_not_matter_and_biases_are_never_pruned(config: Pruning) -> None:
    kernel = np.array([[0.1, -0.2, 0.3], [-0.4, 0.5, -0.6]], np.float32)
    tiny = np.full(3, 1e-6, np.float32)
    trained = {"dense_1": {"bias": tiny, "kernel": kernel}, "output": {"bias": tiny, "kernel": kernel * 1.01}}
    pruned = prune(config, trained, 0.5)
    for layer in pruned.values():
        assert layer["bias"] is None
        np.testing.assert_array_equal(layer["kernel"], [[False] * 3, [True] * 3])


def test_emptying_a_layer_globally_is_an_error() -> None:
    trained = {
        "dense_1": {"bias": np.zeros(1), "kernel": np.full(4, 0.1)},
        "output": {"bias": np.zeros(1), "kernel": np.ones(4)},
    }
    with pytest.raises(LtrError, match="emptied layer dense_1"):
        prune(PRUNING["global"], trained, 0.5)


def test_rates_are_exact_and_go_by_the_kind_of_layer() -> None:
    rates = pruning.layer_rates(Pruning(), 0.29, KINDS)
    assert rates == {
        "dense_1": {"bias": None, "kernel": Fraction(29, 100)},
        "output": {"bias": None, "kernel": Fraction(29, 200)},
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Pruning(rates=LayerRates(dense=5.0)), "pruning.rates.dense=5.0: times prune_rate=0.2 must be less"),
        (Pruning(scope="global"), "pruning.scope=global: pruning.rates must be equal, or 0"),
    ],
)
def test_rates_that_cannot_be(config: Pruning, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        pruning.layer_rates(config, 0.2, KINDS)


def test_global_pruning_may_spare_a_kind_of_layer() -> None:
    config = Pruning(scope="global", rates=LayerRates(output=0.0))
    trained = {
        "dense_1": {"bias": np.zeros(1), "kernel": np.arange(1.0, 11.0)},
        "output": {"bias": np.zeros(1), "kernel": np.zeros(10)},
    }
    pruned = prune(config, trained, 0.2)
    assert pruned["output"]["kernel"].all()
    assert pruned["dense_1"]["kernel"].tolist() == [False] * 2 + [True] * 8


def test_an_unknown_criterion_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^pruning.criterion=magnitud: .* did you mean magnitude\?$"):
        pruning.criterion(Pruning(criterion="magnitud"))
