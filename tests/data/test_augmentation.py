"""Augmentation: crops that shift, flips that flip, each as often as it should."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.config.schema import Dataset
from ltr.data.augmentation import PADDING, Augmentation, at_once, augmentation, crop_flip, none, one_by_one
from ltr.data.registry import AUGMENTATIONS
from ltr.errors import ConfigError

WAYS = {"one_by_one": jax.jit(one_by_one), "at_once": jax.jit(at_once)}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
COMPILED = {name: jax.jit(entry.load()) for name, entry in AUGMENTATIONS.items()}
every_augmentation = pytest.mark.parametrize("augment", COMPILED.values(), ids=COMPILED)


def pictures(count: int, height: int = 6, width: int = 5, channels: int = 3) -> np.ndarray:
    """Images without a black pixel."""
    shape = (count, height, width, channels)
    return np.random.default_rng(0).integers(1, 256, shape, np.uint8)


def by_hand(image: np.ndarray, row: int, column: int, flip: bool) -> np.ndarray:
    padded = np.pad(image, [(PADDING, PADDING), (PADDING, PADDING), (0, 0)])
    cropped = padded[row : row + image.shape[0], column : column + image.shape[1]]
    return cropped[:, ::-1] if flip else cropped


@ways
def test_a_crop_from_the_middle_is_the_image(way: Callable[..., jax.Array]) -> None:
    images = pictures(2)
    found = way(images, jnp.full((2, 2), PADDING), jnp.zeros(2, bool))
    np.testing.assert_array_equal(found, images)
    assert found.dtype == jnp.uint8


@ways
def test_a_flip_mirrors_left_and_right(way: Callable[..., jax.Array]) -> None:
    images = pictures(2)
    found = way(images, jnp.full((2, 2), PADDING), jnp.array([True, False]))
    np.testing.assert_array_equal(found, [images[0, :, ::-1], images[1]])


@ways
def test_a_crop_from_the_corner_shifts_the_image_and_lets_black_in(way: Callable[..., jax.Array]) -> None:
    image = pictures(1)
    found = np.asarray(way(image, jnp.array([[PADDING - 1, PADDING + 2]]), jnp.zeros(1, bool)))[0]
    np.testing.assert_array_equal(found[1:, :-2], image[0, :-1, 2:])
    assert not found[0].any()
    assert not found[:, -2:].any()


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.booleans()), min_size=4, max_size=4))
def test_every_crop_is_that_of_numpy(draws: list[tuple[int, int, bool]]) -> None:
    images = pictures(4)
    corners = jnp.array([draw[:2] for draw in draws])
    flips = jnp.array([draw[2] for draw in draws])
    expected = [by_hand(image, *draw) for image, draw in zip(images, draws, strict=True)]
    for way in WAYS.values():
        np.testing.assert_array_equal(way(images, corners, flips), expected)


def seen(count: int, key: jax.Array) -> np.ndarray:
    """Row, column and flip of the crop of each of `count` copies of an image."""
    (image,) = pictures(1, 7, 8, 1)
    crops = {
        by_hand(image, row, column, bool(flip)).tobytes(): (row, column, flip)
        for row in range(2 * PADDING + 1)
        for column in range(2 * PADDING + 1)
        for flip in (0, 1)
    }
    found = np.asarray(COMPILED["crop_flip"](np.tile(image, (count, 1, 1, 1)), key))
    return np.array([crops[one.tobytes()] for one in found])


def test_every_offset_and_flip_is_as_likely_as_any_other() -> None:
    rows, columns, flips = seen(8100, jax.random.key(0)).T
    cells, counts = np.unique(np.stack([rows, columns, flips]), axis=1, return_counts=True)
    assert cells.shape[1] == 9 * 9 * 2
    deviation = np.sqrt(8100 / 162)
    assert np.abs(counts - 8100 / 162).max() < 4.5 * deviation
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.05
    assert abs(np.corrcoef(rows, flips)[0, 1]) < 0.05


@every_augmentation
def test_images_keep_their_shape_and_type(augment: Augmentation) -> None:
    found = augment(pictures(4), jax.random.key(0))
    assert (found.shape, found.dtype) == ((4, 6, 5, 3), jnp.uint8)


@every_augmentation
def test_lanes_side_by_side_are_as_lanes_alone(augment: Augmentation) -> None:
    images, keys = jnp.asarray(pictures(4)), jax.random.split(jax.random.key(3), 3)
    together = jax.jit(jax.vmap(augment, (None, 0)))(images, keys)
    np.testing.assert_array_equal(together, [augment(images, key) for key in keys])


def test_a_key_gives_the_same_images_and_another_key_others() -> None:
    one, again, other = (np.asarray(COMPILED["crop_flip"](pictures(4), jax.random.key(s))) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_an_image_is_cropped_the_same_whatever_it_shows() -> None:
    shown, blank = pictures(4), np.full((4, 6, 5, 3), 255, np.uint8)
    black = [np.asarray(COMPILED["crop_flip"](images, jax.random.key(0))) == 0 for images in (shown, blank)]
    np.testing.assert_array_equal(*black)
    assert black[0].any()


def test_none_is_the_images_themselves() -> None:
    images = pictures(2)
    assert none(images, jax.random.key(0)) is images


def test_a_configuration_names_one() -> None:
    assert augmentation(Dataset()) is none
    assert augmentation(Dataset(augmentation="crop_flip")) is crop_flip
    message = r"^dataset\.augmentation=crop: unknown augmentation; did you mean crop_flip\?$"
    with pytest.raises(ConfigError, match=message):
        augmentation(Dataset(augmentation="crop"))


def test_a_cpu_copies_blocks_and_an_accelerator_gathers_pixels() -> None:
    """Each does what costs it least."""
    traced = jax.jit(crop_flip).trace(pictures(4), jax.random.key(0))
    lowered = {
        platform: traced.lower(lowering_platforms=(platform,)).as_text()
        for platform in ("cpu", "cuda", "tpu")
    }
    assert ["stablehlo.gather" in text for text in lowered.values()] == [False, True, True]
    assert ["stablehlo.dynamic_slice" in text for text in lowered.values()] == [True, False, False]
