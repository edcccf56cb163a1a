import jax
import numpy as np
import pytest
from jax import lax

from ltr import kernels
from ltr.kernels import sorting


@pytest.mark.parametrize("count", [0, 1, 2, 1000, 70_000])
def test_words_are_sorted(count: int) -> None:
    drawn = np.random.default_rng(0).integers(2**32, size=count, dtype=np.uint32)
    np.testing.assert_array_equal(jax.jit(kernels.sort)(drawn), np.sort(drawn))


def test_equal_words_and_the_ends_of_the_range_are_sorted() -> None:
    drawn = np.array([2**32 - 1, 0, 5, 2**31, 5, 2**31 - 1, 0, 2048, 2047], np.uint32)
    np.testing.assert_array_equal(kernels.sort(drawn), np.sort(drawn))


def test_without_the_library_the_order_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(0).integers(2**32, size=1000, dtype=np.uint32)
    expected = np.asarray(kernels.sort(drawn))
    monkeypatch.setattr(sorting, "instruction_set", lambda: None)
    np.testing.assert_array_equal(kernels.sort(drawn), expected)
    np.testing.assert_array_equal(lax.sort(drawn), expected)
