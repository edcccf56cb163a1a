"""Conversions to uint8 that lose nothing, and what is refused instead."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.data.images import constant, is_channels_first, to_uint8, with_channels

EVERY = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)


def convert(images: Any) -> np.ndarray:
    converted = to_uint8({"images": np.asarray(images)})["images"]
    assert converted.dtype == np.uint8
    return converted


@pytest.mark.parametrize(
    "images",
    [
        EVERY,
        EVERY.astype(np.int64),
        EVERY.astype(np.uint16),
        EVERY.astype(np.uint16) * 257,
        EVERY.astype(np.float32),
        EVERY / 255,
        EVERY.astype(np.float32) / 255,
        EVERY.astype(np.float32) * np.float32(1 / 255),
        (EVERY / 255).astype(np.float16),
    ],
    ids=str,
)
def test_what_holds_bytes_gives_them_back(images: np.ndarray) -> None:
    np.testing.assert_array_equal(convert(images), EVERY)


def test_booleans_are_black_and_white() -> None:
    assert convert([[[True, False]]]).tolist() == [[[255, 0]]]
    assert convert([[[1.0, 0.0]]]).tolist() == [[[255, 0]]]


def test_more_images_than_a_chunk() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2500, 2, 2), np.uint8)
    np.testing.assert_array_equal(convert(images / 255), images)
    altered = images / 255
    altered[2400, 1, 1] = 0.5
    with pytest.raises(ValueError, match="uint8 cannot hold exactly"):
        convert(altered)


def test_one_rule_converts_all_arrays() -> None:
    """A dark test set of 0 and 1 beside training images up to 255 is dark, not black and white."""
    found = to_uint8({"train_images": EVERY * 1.0, "test_images": EVERY[:1, :1, :2] * 1.0})
    assert found["test_images"].tolist() == [[[0, 1]]]
    found = to_uint8({"train_images": EVERY[:1, :1, :2] * 1.0, "test_images": EVERY * 1.0})
    assert found["train_images"].tolist() == [[[0, 1]]]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            [[[0.5, 1.0]]],
            "images is float64 from 0.5 to 1, which uint8 cannot hold exactly; type: images = np.round(",
        ),
        (
            [[[-1.0, 1.0]]],
            "type: images = np.round((images + 1) * (255 / 2)).astype(np.uint8), and the same for",
        ),
        ([[[0, 4095]]], "type: images = np.round(images * (255 / 4095)).astype(np.uint8)"),
        ([[[0.0, 1.5]]], "type: images = np.round(images * (255 / 1.5)).astype(np.uint8)"),
        ([[[0.0, np.nan]]], "holds NaN or infinity"),
        ([[["a"]]], "images is <U1, must be uint8"),
    ],
)
def test_what_loses_something_is_refused_with_what_to_type(images: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"^images ") as caught:
        convert(images)
    assert message in str(caught.value)


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_what_is_typed_then_is_read(bits: int, seed: int) -> None:
    """The line of NumPy in a refusal gives an array that is converted."""
    images = np.random.default_rng(seed).normal(0, 2.0**bits, (3, 4, 4))
    with pytest.raises(ValueError, match="type: ") as caught:
        convert(images)
    line = str(caught.value).partition("type: ")[2].partition(", and")[0]
    typed: dict[str, Any] = {"np": np, "images": images}
    exec(line, typed)
    assert convert(typed["images"]).min() == 0 or images.min() > 0
    assert typed["images"].max() == 255


def test_arrays_of_different_types_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^b is float64, must be uint8 as a$"):
        to_uint8({"a": EVERY, "b": EVERY / 255})


@pytest.mark.parametrize(
    ("shape", "probable"),
    [
        ((9, 3, 32, 32), True),
        ((9, 1, 28, 28), True),
        ((9, 4, 8, 8), True),
        ((9, 32, 32, 3), False),
        ((9, 3, 32, 3), False),
        ((9, 28, 28, 1), False),
        ((9, 5, 32, 32), False),
        ((9, 3, 32), False),
    ],
)
def test_channels_first_is_what_is_more_probable(shape: tuple[int, ...], probable: bool) -> None:
    assert is_channels_first(shape) is probable


def test_channels_become_the_last_dimension() -> None:
    grey, colour = EVERY, np.arange(24, dtype=np.uint8).reshape(1, 3, 2, 4)
    found = with_channels({"grey": grey, "colour": colour}, "channels_first", "--layout ")
    np.testing.assert_array_equal(found["grey"][..., 0], grey)
    assert found["colour"].shape == (1, 2, 4, 3)
    assert found["colour"][0, 1, 2].tolist() == colour[0, :, 1, 2].tolist()
    assert found["colour"].flags.c_contiguous


def test_images_of_a_single_colour_are_found() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 3, 3), np.uint8)
    images[1], images[3] = 9, [1, 2, 3]
    assert constant(images).tolist() == [1, 3]
