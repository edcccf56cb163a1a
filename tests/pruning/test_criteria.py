"""Each criterion against numbers worked out by hand, and all of them against what every one must do."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config.parse import knobs
from ltr.core import masks
from ltr.models.model import Model
from ltr.pruning import selection
from ltr.pruning.criteria import Criterion, PruningInput
from ltr.pruning.registry import CRITERIA

INITIAL = [0.5, -2.0, 1.0, -0.25, 3.0]
TRAINED = [-1.0, -2.5, 0.25, 0.5, -4.0]
BY_HAND = {
    "magnitude": [1, 2.5, 0.25, 0.5, 4],
    "small_final": [-1, -2.5, -0.25, -0.5, -4],
    "large_init": [0.5, 2, 1, 0.25, 3],
    "small_init": [-0.5, -2, -1, -0.25, -3],
    "large_init_large_final": [0.4, 0.8, 0.2, 0.2, 1],  # ranks 2 4 3 1 5 and 3 4 1 2 5
    "small_init_small_final": [0.6, 0.4, 0.6, 0.8, 0.2],  # ranks 4 2 3 5 1 and 3 2 5 4 1
    "magnitude_increase": [0.5, 0.5, -0.75, 0.25, 1],
    "movement": [1.5, 0.5, 0.75, 0.75, 7],
}
KEY = jax.random.key(0)


def one_layer(initial: Any, trained: Any, kept: Any = None) -> PruningInput:
    """Evidence of a single kernel beside a bias."""
    initial, trained = np.array(initial, np.float32), np.array(trained, np.float32)
    mask = np.ones(initial.shape, bool) if kept is None else np.array(kept)
    bias = np.ones(2, np.float32)
    return PruningInput(
        {"bias": bias, "kernel": initial},
        {"bias": bias, "kernel": trained},
        {"bias": None, "kernel": mask},
        KEY,
    )


@pytest.fixture
def evidence(params: Any, mask: Any) -> PruningInput:
    """A round in which half of the weights are already gone."""
    generator = np.random.default_rng(3)

    def moved(leaf: np.ndarray) -> np.ndarray:
        return leaf + generator.normal(0, 0.5, leaf.shape).astype(np.float32)

    return PruningInput(params, masks.apply(mask, jax.tree.map(moved, params)), mask, KEY)


def half(criterion: Criterion, evidence: PruningInput) -> Any:
    """The mask of the better half of each layer's survivors."""
    counts = jax.tree.map(lambda kept: np.count_nonzero(kept) // 2, evidence.mask)
    return selection.layerwise(criterion(evidence), evidence.mask, counts, KEY)


def same(one: Any, other: Any) -> bool:
    return all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


@pytest.mark.parametrize("name", BY_HAND)
def test_scores_by_hand(name: str) -> None:
    scores = CRITERIA[name].load()(one_layer(INITIAL, TRAINED))
    np.testing.assert_allclose(scores["kernel"], BY_HAND[name], rtol=1e-6)
    assert scores["bias"] is None


def test_all_but_random_are_worked_out_by_hand() -> None:
    assert set(CRITERIA) - set(BY_HAND) == {"random"}


@pytest.mark.parametrize(("name", "sign"), [("large_init_large_final", 1), ("small_init_small_final", -1)])
@pytest.mark.parametrize("seed", range(3))
def test_a_common_percentile_is_what_bisection_would_find(name: str, sign: int, seed: int) -> None:
    """Every percentile there is: the weights of which both magnitudes are beyond it, counted and compared."""
    generator = np.random.default_rng(seed)
    initial, trained = generator.normal(size=(2, 60))
    kept = generator.random(60) < 0.6
    evidence = one_layer(initial, trained, kept)
    survivors = np.flatnonzero(kept)
    for percent in np.linspace(0, 100, 301):
        beyond = kept.copy()
        for values in (sign * np.abs(initial), sign * np.abs(trained)):
            beyond &= values >= np.percentile(values[survivors], percent)
        count = int(beyond.sum())
        counts = {"bias": None, "kernel": count}
        mask = selection.layerwise(CRITERIA[name].load()(evidence), evidence.mask, counts, KEY)
        np.testing.assert_array_equal(mask["kernel"], beyond)


def test_percentiles_are_among_the_survivors_and_equal_where_weights_are() -> None:
    kept = [True, False, True, True, False]
    scores = CRITERIA["large_init_large_final"].load()(one_layer([2, 9, 1, 1, 9], [1, 0, 1, 1, 0], kept))
    np.testing.assert_allclose(scores["kernel"], [1, 0, 2 / 3, 2 / 3, 0])


# What every criterion must do


@pytest.mark.parametrize("name", CRITERIA)
def test_it_scores_every_prunable_weight_and_alters_none(
    name: str, evidence: PruningInput, network: Model
) -> None:
    before = jax.tree.map(np.copy, evidence[:3])
    scores = CRITERIA[name].load()(evidence)
    assert jax.tree.structure(scores) == jax.tree.structure(network.layer_types)
    for score, kept in zip(jax.tree.leaves(scores), jax.tree.leaves(evidence.mask), strict=True):
        assert score.shape == kept.shape
        assert np.issubdtype(score.dtype, np.floating)
        assert np.isfinite(score).all()
    assert same(before, evidence[:3])


@pytest.mark.parametrize("name", CRITERIA)
def test_it_is_a_function_of_its_evidence_and_only_random_looks_at_the_key(
    name: str, evidence: PruningInput
) -> None:
    scores = CRITERIA[name].load()(evidence)
    assert same(scores, CRITERIA[name].load()(evidence))
    other = evidence._replace(key=jax.random.key(1))
    assert same(scores, CRITERIA[name].load()(other)) is (name != "random")


@pytest.mark.parametrize("name", CRITERIA)
def test_it_says_something(name: str, evidence: PruningInput) -> None:
    """Scores that were all equal would leave everything to the draw."""
    nothing = half(lambda of: jax.tree.map(lambda kept: np.zeros(kept.shape), of.mask), evidence)
    assert not same(half(CRITERIA[name].load(), evidence), nothing)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(CRITERIA, 2)))
def test_it_differs_from_each_other_one(one: str, other: str, evidence: PruningInput) -> None:
    assert not same(half(CRITERIA[one].load(), evidence), half(CRITERIA[other].load(), evidence))


@pytest.mark.parametrize("name", CRITERIA)
def test_negative_weights_are_worth_what_positive_ones_are(name: str, evidence: PruningInput) -> None:
    """Some public code compares weights without `abs`, and prunes or keeps every negative one."""
    generator = np.random.default_rng(0)

    def flip(signs: Any, of: PruningInput) -> PruningInput:
        return of._replace(
            initial=jax.tree.map(np.multiply, of.initial, signs[0]),
            trained=jax.tree.map(np.multiply, of.trained, signs[1]),
        )

    signs = jax.tree.map(
        lambda leaf: generator.choice(np.array([-1, 1], np.float32), leaf.shape), evidence.initial
    )
    scores = CRITERIA[name].load()(evidence)
    assert same(scores, CRITERIA[name].load()(flip((signs, signs), evidence)))
    ones = jax.tree.map(np.ones_like, signs)
    assert same(scores, CRITERIA[name].load()(flip((ones, signs), evidence))) is (name != "movement")


@pytest.mark.parametrize("name", CRITERIA)
def test_what_is_pruned_does_not_matter(name: str, evidence: PruningInput) -> None:
    """Not even to the percentiles of what survives."""
    loud = evidence._replace(
        initial=masks.tree_map(
            lambda kept, leaf: leaf if kept is None else np.where(kept, leaf, np.float32(99)),
            evidence.mask,
            evidence.initial,
        )
    )
    assert same(half(CRITERIA[name].load(), evidence), half(CRITERIA[name].load(), loud))


def test_random_keeps_every_weight_equally_often() -> None:
    """With 400 keys each of 20 weights is among the 10 kept 200 times, give or take 10."""
    evidence = one_layer(np.ones(20), np.ones(20))
    kept = sum(
        half(CRITERIA["random"].load(), evidence._replace(key=jax.random.key(n)))["kernel"].astype(int)
        for n in range(400)
    )
    assert np.abs(kept - 200).max() < 50


def test_the_help_names_every_criterion() -> None:
    (meaning,) = (knob.meaning for knob in knobs() if knob.name == "pruning.criterion")
    named = meaning.partition(": ")[2].split(", ")
    assert sorted(named) == sorted(CRITERIA)
