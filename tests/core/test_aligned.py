"""Arrays that begin at a cache line."""

import numpy as np
import pytest

from ltr.core.aligned import ALIGNMENT, aligned, empty


@pytest.mark.parametrize("before", [0, 4, 60, 64, 130])
def test_the_byte_after_those_before_begins_a_cache_line(before: int) -> None:
    array = empty((50, 4), np.float32, before)
    assert (array.ctypes.data + before) % ALIGNMENT == 0
    assert (array.shape, array.dtype) == ((50, 4), np.float32)
    assert array.flags.writeable


def test_an_array_is_copied_only_if_it_must_be() -> None:
    array = empty((6, 64), np.uint8)
    array[...] = np.arange(64)
    assert aligned(array) is array
    for other in (array[:, 1:], array.ravel()[1:], array[::2]):
        copy = aligned(other)
        assert copy.ctypes.data % ALIGNMENT == 0
        np.testing.assert_array_equal(copy, other, strict=True)
