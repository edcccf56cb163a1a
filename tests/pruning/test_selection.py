from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.core import masks
from ltr.pruning import selection, ties

seeds = st.integers(0, 2**32 - 1)
SIZES = (1, 2, 13, 64, 200)
"""Of a layer: one weight, two, an odd number; few, since ties are drawn by a program for each."""

KEYS = jax.random.key(0), jax.random.key(1)


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


def assert_even(kept: np.ndarray) -> None:
    """Both halves of the index range have one density, but for chance."""
    first, second = np.array_split(kept, 2)
    share = kept.mean()
    deviation = np.sqrt(share * (1 - share) / len(kept))
    assert 0 < share < 1
    assert first.mean() == pytest.approx(share, abs=5 * deviation)
    assert second.mean() == pytest.approx(share, abs=5 * deviation)


def flat(tree: Any) -> np.ndarray:
    return np.concatenate([layer["kernel"].ravel() for layer in tree.values()])


@pytest.mark.parametrize("select", [selection.layerwise, selection.globally])
@given(size=st.sampled_from(SIZES), seed=seeds, shares=st.lists(st.floats(0, 1), max_size=4))
def test_exactly_as_many_as_asked_are_kept_round_after_round(
    select: Callable[..., Any], size: int, seed: int, shares: list[float]
) -> None:
    mask = ones(size)
    for round_number, share in enumerate(shares):
        count = int(share * masks.count(mask))
        pruned = select(scores_like(mask, seed + round_number), mask, one_layer(select, count), KEYS[0])
        assert masks.count(pruned) == count
        assert not (flat(pruned) & ~flat(mask)).any(), "masks are nested"
        mask = pruned


@pytest.mark.parametrize("select", [selection.layerwise, selection.globally])
def test_of_equal_scores_a_draw_decides_and_not_the_index(select: Callable[..., Any]) -> None:
    """A fifth scores highest and is kept, a fifth lowest and is not; the half that ties is spread evenly."""
    score = np.random.default_rng(0).permutation(np.repeat(np.float32([0, 1, 1, 1, 2]), 2000))
    draws = [flat(select(layers(score), ones(10_000), one_layer(select, 5000), KEYS[n])) for n in (0, 0, 1)]
    for kept in draws:
        assert kept.sum() == 5000
        assert kept[score == 2].all()
        assert not kept[score == 0].any()
        assert_even(kept[score == 1])
    assert (draws[0] == draws[1]).all(), "a key decides"
    assert (draws[0] != draws[2]).any(), "and another differently"


def test_of_equal_priorities_the_higher_index_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a device (see `ltr.pruning.ties`); in large layers some of the 30-bit priorities are equal."""
    priorities = np.random.default_rng(0).integers(0, 3, 1000, np.int32)
    monkeypatch.setattr(ties, "priorities", lambda *_: priorities)
    kept = selection.keep_highest(np.ones(1000, np.float32), np.ones(1000, bool), 500, KEYS[0])
    highest = sorted(range(1000), key=lambda index: (priorities[index], index))[500:]
    assert np.flatnonzero(kept).tolist() == sorted(highest)


@pytest.mark.parametrize("select", [selection.layerwise, selection.globally])
def test_without_ties_the_key_does_not_matter(select: Callable[..., Any]) -> None:
    score = layers(np.random.default_rng(0).permutation(1000).astype(np.float32))
    one, other = (flat(select(score, ones(1000), one_layer(select, 300), key)) for key in KEYS)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, score["dense_0"]["kernel"] >= 700)


def test_layers_of_one_shape_are_drawn_apart() -> None:
    kept = selection.layerwise(layers(np.ones(64), np.ones(64)), ones(64, 64), layers(32, 32), KEYS[0])
    assert (kept["dense_0"]["kernel"] != kept["dense_1"]["kernel"]).any()


@given(seed=seeds, shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_layerwise_keeps_the_best_of_each_layer(seed: int, shares: tuple[float, ...]) -> None:
    kept = random(ones(13, 40), seed, lambda generator, shape: generator.random(shape) < 0.7)
    scores = scores_like(kept, seed)
    counts = [int(share * kept[layer]["kernel"].sum()) for layer, share in zip(kept, shares, strict=True)]
    pruned = selection.layerwise(scores, kept, layers(*counts), KEYS[0])
    for layer, count in zip(kept, counts, strict=True):
        assert_best(*(tree[layer]["kernel"] for tree in (pruned, kept, scores)), count)


@given(seed=seeds, share=st.floats(0, 1))
def test_global_keeps_the_best_of_all_layers_together(seed: int, share: float) -> None:
    kept = random(ones(13, 40, 7), seed, lambda generator, shape: generator.random(shape) < 0.7)
    scores = scores_like(kept, seed)
    count = int(share * masks.count(kept))
    assert_best(*map(flat, (selection.globally(scores, kept, count, KEYS[0]), kept, scores)), count)


def assert_best(pruned: np.ndarray, kept: np.ndarray, score: np.ndarray, count: int) -> None:
    """`count` survivors, none of which scores lower than one that was pruned."""
    assert pruned.sum() == count
    assert not (pruned & ~kept).any()
    assert sorted(score[pruned]) == sorted(score[kept])[kept.sum() - count :]


def test_global_compares_across_layers_where_layerwise_does_not() -> None:
    mask, scores = ones(4, 4), layers(np.arange(4.0), np.arange(10.0, 14.0))
    assert flat(selection.globally(scores, mask, 4, KEYS[0])).tolist() == [False] * 4 + [True] * 4
    assert (
        flat(selection.layerwise(scores, mask, layers(2, 2), KEYS[0])).tolist()
        == [False, False, True, True] * 2
    )


def test_the_first_emptied_layer_is_named() -> None:
    dense, output = {"kernel": np.array([True])}, {"kernel": np.zeros((2, 3), bool)}
    assert selection.emptied({"dense_1": dense, "output": output}) == "output"
    assert selection.emptied({"dense_1": dense}) is None


@pytest.mark.parametrize(
    ("select", "count"), [(selection.layerwise, {"one": 2, "two": 2}), (selection.globally, 4)]
)
def test_selection_keeps_the_shape_of_every_layer(select: Callable[..., Any], count: Any) -> None:
    mask = {"one": np.ones((2, 3), bool), "two": np.ones((1, 2, 2), bool)}
    scores = {"one": np.arange(6.0).reshape(2, 3), "two": np.arange(4.0).reshape(1, 2, 2)}
    kept = select(scores, mask, count, KEYS[0])
    assert {name: layer.shape for name, layer in kept.items()} == {"one": (2, 3), "two": (1, 2, 2)}
