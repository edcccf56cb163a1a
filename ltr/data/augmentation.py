"""Augmentation on the device: what training images go through before they are normalised."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from ltr.config.schema import Dataset
from ltr.data.registry import AUGMENTATIONS

PADDING = 4
"""Black pixels around an image, of which a crop can take as many in."""

Augmentation = Callable[[jax.Array, jax.Array], jax.Array]
"""Images, uint8 [batch, height, width, channels], and a key -> as many images of that shape."""


def augmentation(config: Dataset) -> Augmentation:
    """The augmentation a configuration names; ConfigError if there is none."""
    augment: Augmentation = AUGMENTATIONS[config.augmentation].load()
    return augment


def none(images: jax.Array, key: jax.Array) -> jax.Array:
    """The images as they are."""
    return images


def crop_flip(images: jax.Array, key: jax.Array) -> jax.Array:
    """Each image padded, cropped at random to its size, and mirrored left to right half the time.

    As in He et al., *Deep Residual Learning for Image Recognition*, 2016, section 4.2.
    """
    crop_key, flip_key = jax.random.split(key)
    corners = jax.random.randint(crop_key, (len(images), 2), 0, 2 * PADDING + 1)
    flips = jax.random.bernoulli(flip_key, shape=(len(images),))
    return lax.platform_dependent(images, corners, flips, cpu=one_by_one, default=at_once)


def one_by_one(images: jax.Array, corners: jax.Array, flips: jax.Array) -> jax.Array:
    """Crops from row and column `corners` [batch, 2] of the padded images, mirrored where `flips` [batch].

    On a CPU copying a block at a time is 20 times as fast as picking pixels.
    """
    _, height, width, channels = images.shape

    def crop(canvas: jax.Array, one: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        image, corner, flip = one
        canvas = lax.dynamic_update_slice(canvas, image, (PADDING, PADDING, 0))
        cropped = lax.dynamic_slice(canvas, (*corner, 0), image.shape)
        return canvas, lax.cond(flip, lambda: cropped[:, ::-1], lambda: cropped)

    canvas = jnp.zeros((height + 2 * PADDING, width + 2 * PADDING, channels), images.dtype)
    return lax.scan(crop, canvas, (images, corners, flips))[1]


def at_once(images: jax.Array, corners: jax.Array, flips: jax.Array) -> jax.Array:
    """The same as `one_by_one`, pixel by pixel and all together."""
    batch, height, width, _ = images.shape
    rows = corners[:, :1] - PADDING + jnp.arange(height)
    columns = corners[:, 1:] - PADDING + jnp.arange(width)
    columns = jnp.where(flips[:, None], columns[:, ::-1], columns)
    pixels = images.at[jnp.arange(batch)[:, None, None], rows[:, :, None], columns[:, None]]
    return pixels.get(mode="fill", fill_value=0, wrap_negative_indices=False)
