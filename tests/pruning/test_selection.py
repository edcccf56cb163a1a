from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr import masks
from ltr.errors import LtrError
from ltr.pruning import selection

seeds = st.integers(0, 2**32 - 1)


def layers(*kernels: Any) -> Any:
    """A tree of kernels, or of what is said of each, and of biases that are never pruned."""
    return {f"dense_{n}": {"bias": None, "kernel": kernel} for n, kernel in enumerate(kernels)}


def ones(*sizes: int) -> Any:
    return layers(*(np.ones(size, bool) for size in sizes))


def one_layer(select: Callable[..., Any], count: int) -> Any:
    """What a selection takes to keep `count` weights of a single layer."""
    return count if select is selection.globally else layers(count)


def random(like: Any, seed: int, draw: Callable[[np.random.Generator, Any], Any]) -> Any:
    generator = np.random.default_rng(seed)
    return masks.tree_map(lambda leaf: None if leaf is None else draw(generator, leaf.shape), like)


def scores_like(mask: Any, seed: int) -> Any:
    """Few different values, so that there are ties, one of them without a bottom."""

    def draw(generator: np.random.Generator, shape: Any) -> np.ndarray:
        return generator.choice(np.array([-np.inf, -1, 0, 1, 2], np.float32), shape)

    return random(mask, seed, draw)


def flat(tree: Any) -> np.ndarray:
    return np.concatenate([layer["kernel"].ravel() for layer in tree.values()])


@pytest.mark.parametrize("select", [selection.layerwise, selection.globally])
@given(size=st.integers(1, 200), seed=seeds, shares=st.lists(st.floats(0, 1), max_size=4))
def test_exactly_as_many_as_asked_are_kept_round_after_round(
    select: Callable[..., Any], size: int, seed: int, shares: list[float]
) -> None:
    mask = ones(size)
    for round, share in enumerate(shares):
        count = int(share * masks.count(mask))
        pruned = select(scores_like(mask, seed + round), mask, one_layer(select, count))
        assert masks.count(pruned) == count
        assert not (flat(pruned) & ~flat(mask)).any(), "masks are nested"
        mask = pruned


@pytest.mark.parametrize("select", [selection.layerwise, selection.globally])
def test_of_equal_scores_the_first_are_pruned(select: Callable[..., Any]) -> None:
    pruned = select(layers(np.ones(5)), ones(5), one_layer(select, 3))
    assert flat(pruned).tolist() == [False, False, True, True, True]


@pytest.mark.parametrize("select", [selection.layerwise, selection.globally])
def test_a_tie_goes_by_the_index_among_the_survivors(select: Callable[..., Any]) -> None:
    mask = layers(np.array([False, True, True, False, True, True]))
    pruned = select(layers(np.array([0, 3, 1, 0, 1, 1])), mask, one_layer(select, 2))
    assert flat(pruned).tolist() == [False, True, False, False, False, True]


@given(seed=seeds, shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_layerwise_is_sorting_each_layer_by_itself(seed: int, shares: tuple[float, ...]) -> None:
    kept = random(ones(13, 40), seed, lambda generator, shape: generator.random(shape) < 0.7)
    scores = scores_like(kept, seed)
    counts = [int(share * kept[layer]["kernel"].sum()) for layer, share in zip(kept, shares, strict=True)]
    pruned = selection.layerwise(scores, kept, layers(*counts))
    for layer, count in zip(kept, counts, strict=True):
        alive = np.flatnonzero(kept[layer]["kernel"]).tolist()
        worst_first = sorted(alive, key=lambda i: (scores[layer]["kernel"][i], i))
        expected = sorted(worst_first[len(alive) - count :])
        assert np.flatnonzero(pruned[layer]["kernel"]).tolist() == expected


@given(seed=seeds, share=st.floats(0, 1))
def test_global_is_sorting_all_layers_together(seed: int, share: float) -> None:
    kept = random(ones(13, 40, 7), seed, lambda generator, shape: generator.random(shape) < 0.7)
    scores = scores_like(kept, seed)
    alive, score = np.flatnonzero(flat(kept)).tolist(), flat(scores)
    count = int(share * len(alive))
    worst_first = sorted(alive, key=lambda i: (score[i], i))
    pruned = selection.globally(scores, kept, count)
    assert np.flatnonzero(flat(pruned)).tolist() == sorted(worst_first[len(alive) - count :])


def test_global_compares_across_layers_where_layerwise_does_not() -> None:
    mask, scores = ones(4, 4), layers(np.arange(4.0), np.arange(10.0, 14.0))
    assert flat(selection.globally(scores, mask, 4)).tolist() == [False] * 4 + [True] * 4
    assert flat(selection.layerwise(scores, mask, layers(2, 2))).tolist() == [False, False, True, True] * 2


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
