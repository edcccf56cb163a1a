import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.data.mnist import parse_idx


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


some_array = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6))


def test_reads_a_file_written_by_hand() -> None:
    content = b"\x00\x00\x08\x02" + b"\x00\x00\x00\x02" + b"\x00\x00\x00\x03" + bytes([1, 2, 3, 4, 5, 255])
    np.testing.assert_array_equal(parse_idx(content), [[1, 2, 3], [4, 5, 255]])


@given(some_array)
def test_reads_what_was_written(array: np.ndarray) -> None:
    parsed = parse_idx(idx(array))
    assert parsed.dtype == np.uint8
    np.testing.assert_array_equal(parsed, array, strict=True)


@given(some_array, st.data())
def test_a_truncated_file_is_refused(array: np.ndarray, data: st.DataObject) -> None:
    content = idx(array)
    with pytest.raises(ValueError, match="IDX"):
        parse_idx(content[: data.draw(st.integers(0, len(content) - 1))])


@given(some_array, st.binary(min_size=1))
def test_more_bytes_than_the_shape_says_are_refused(array: np.ndarray, surplus: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_idx(idx(array) + surplus)


@given(st.binary().filter(lambda content: content[:3] != b"\x00\x00\x08"))
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not an IDX file"):
        parse_idx(content)
