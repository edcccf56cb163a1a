"""Which rows are validation: a share of each class, the same for ever."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.config.schema import Dataset
from ltr.data.splitting import divide, stratified
from ltr.errors import ConfigError


def test_the_rows_are_those_of_ever() -> None:
    """Ids of runs stand for these rows: another NumPy, machine or version of ltr must give the same."""
    labels = np.arange(40, dtype=np.int32) % 7 % 3
    assert stratified(labels, 9).tolist() == [2, 3, 11, 13, 15, 19, 20, 21, 32]
    many = stratified(np.arange(20_000, dtype=np.int32) % 11, 2_000)
    assert hashlib.sha256(many.astype("<i8").tobytes()).hexdigest()[:16] == "b40fab56d0cdae32"


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.data())
def test_every_class_has_its_share_of_both_parts(sizes: list[int], data: st.DataObject) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    lowest, highest = sum(size > 1 for size in sizes), sum(size - 1 for size in sizes)
    count = data.draw(st.integers(lowest, highest)) if highest else 0
    rows = stratified(labels, count)
    assert len(set(rows.tolist())) == len(rows) == count
    assert rows.tolist() == sorted(rows)
    shares = np.bincount(labels[rows], minlength=len(sizes))
    for size, share in zip(sizes, shares, strict=True):
        assert (share, size - share) == (0, 1) if size == 1 else min(share, size - share) >= 1


@given(st.lists(st.integers(20, 40), min_size=2, max_size=6), st.integers(20, 30))
def test_shares_are_proportional_to_the_last_example(sizes: list[int], count: int) -> None:
    """Largest remainder: no share is a whole example off."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    shares = np.bincount(labels[stratified(labels, count)], minlength=len(sizes))
    assert (np.abs(shares - count * np.array(sizes) / sum(sizes)) < 1).all()


def test_the_largest_remainders_get_what_is_left() -> None:
    """Quotas of 10 of 33, 33, 34 are 3.3, 3.3 and 3.4."""
    labels = np.repeat([0, 1, 2], [33, 33, 34])
    assert np.bincount(labels[stratified(labels, 10)]).tolist() == [3, 3, 4]


@pytest.mark.parametrize("count", [2, 7])
def test_counts_that_leave_a_class_out_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=r"^must be 3 to 6, so that each class has examples in both parts$"):
        stratified(np.arange(9) % 3, count)


def test_the_parts_are_whole_and_in_order() -> None:
    labels = np.arange(30, dtype=np.int32) // 10
    train, validation = divide(labels, Dataset(validation=6, split="stratified"))
    assert np.bincount(labels[validation]).tolist() == [2, 2, 2]
    assert sorted([*train, *validation]) == list(range(30))
    assert (np.diff(train) > 0).all()
    train, validation = divide(np.arange(30), Dataset(validation=6))
    assert (train, validation) == (slice(24), slice(24, None))


def test_too_few_are_refused_by_the_knob() -> None:
    with pytest.raises(ConfigError, match=r"^dataset\.validation=1: must be 2 to 8, so that "):
        divide(np.arange(10) % 2, Dataset(validation=1, split="stratified"))
