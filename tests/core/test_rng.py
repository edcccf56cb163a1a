import itertools

import jax
import numpy as np
import pytest
from scipy import stats

from ltr.core import rng
from tests.marks import slow


def bits(key: jax.Array) -> tuple[int, ...]:
    return tuple(jax.random.key_data(key).tolist())


def test_every_seed_and_replicate_has_its_own_key_and_0_is_a_seed() -> None:
    roots = {bits(rng.root(seed, replicate)) for seed, replicate in itertools.product(range(5), range(5))}
    assert len(roots) == 25


def test_the_same_words_give_the_same_key() -> None:
    assert bits(rng.fold(rng.root(0, 0), "init")) == bits(rng.fold(rng.root(0, 0), "init"))


def test_purposes_and_indices_give_different_keys() -> None:
    root = rng.root(0, 0)
    folded = [
        rng.fold(root, purpose, *indices)
        for purpose in ("init", "data order", "random_reinit", "random_mask")
        for indices in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))
    ]
    assert len({bits(key) for key in [root, *folded]}) == 25


def test_keys_do_not_drift() -> None:
    assert bits(rng.fold(rng.root(0, 0), "init")) == (2764000862, 1852361740)
    assert bits(rng.fold(rng.root(7, 2), "random_mask", 3, 1)) == (3620948980, 1572415828)


def test_the_order_of_the_data_does_not_drift() -> None:
    order = np.asarray(rng.permutation(jax.random.key(0), 55_000))
    assert order[:5].tolist() == [3599, 34962, 42238, 45358, 597]
    assert int((order * np.arange(55_000, dtype=np.int64)).sum()) == 41_619_646_468_698


@pytest.mark.parametrize("count", [1, 2, slow(5), 1197, slow(70_000)])
def test_a_permutation_holds_every_number_once_in_another_order_for_each_key(count: int) -> None:
    orders = [np.asarray(rng.permutation(jax.random.key(seed), count)) for seed in (0, 1)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(count))
    assert count < 5 or (orders[0] != orders[1]).any()


def test_every_number_is_as_likely_everywhere() -> None:
    """Chi-squared of places by numbers over 6,000 orders of 7: 36 degrees of freedom."""
    orders = jax.vmap(lambda key: rng.permutation(key, 7))(jax.random.split(jax.random.key(0), 6000))
    counts = np.stack([np.bincount(column, minlength=7) for column in np.asarray(orders).T])
    expected = 6000 / 7
    assert ((counts - expected) ** 2 / expected).sum() < stats.chi2.ppf(0.999, 36)


def test_of_many_neighbours_as_many_stay_in_order_as_by_chance() -> None:
    """Of 70,000 items, a pass sorts by 15 random bits alone: two would leave many ties in the old order."""
    order = np.asarray(rng.permutation(jax.random.key(0), 70_000))
    places = np.argsort(order)
    ascending = (np.diff(places) > 0).mean()
    assert ascending == pytest.approx(0.5, abs=4 * 0.5 / 70_000**0.5)


def test_numbers_of_steps_and_weights_are_even_and_independent() -> None:
    """Of 50 keys, one a step: within a draw, between neighbours, and from step to step at one weight."""
    draw = jax.jit(rng.uniform, static_argnums=1)
    drawn = np.stack([draw(rng.fold(rng.root(0, 0), "step", step), (40, 50)) for step in range(50)])
    assert 0 < drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1
    counts, _ = np.histogram(drawn, 64, (0, 1))
    assert stats.chisquare(counts).pvalue > 1e-4
    centred = drawn.reshape(50, -1) - 0.5
    for one, other in (
        (centred[:, :-1], centred[:, 1:]),
        (centred[:, :-50], centred[:, 50:]),
        (centred[:-1], centred[1:]),
    ):
        assert abs((one * other).mean()) < 5 / 12 / np.sqrt(one.size)
    assert stats.kstest(drawn[:, 3, 7], "uniform").pvalue > 1e-4


def test_words_have_even_bits() -> None:
    words = np.asarray(rng.words(rng.root(0, 0), (20_000,)))
    shares = (words[:, None] >> np.arange(32, dtype=np.uint32) & 1).mean(0)
    np.testing.assert_allclose(shares, 0.5, atol=5 * 0.5 / np.sqrt(20_000))


def test_normal_numbers_are_the_quantiles_of_even_ones() -> None:
    key = rng.root(0, 0)
    drawn = np.asarray(rng.normal(key, (300, 400)), np.float64)
    even = np.asarray(rng.uniform(key, (300, 400)), np.float64)
    np.testing.assert_allclose(drawn, stats.norm.ppf(even), rtol=1e-4, atol=1e-6)
    assert np.abs(drawn).max() > 4
