"""Images as the bytes that they are: what a packed layer that reads them has the least to read of."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import jax
import jax.numpy as jnp

from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import Array

LINE = 32
"""Examples to a cache line (see `products.h`)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Pixels:
    """A batch of images of one channel, for `dense`, which normalises them as it goes.

    Whole numbers up to 256 are exact in bfloat16, the upper half of a float32, and two of them fill a word:
    a layer reads half of what it would read of floats, and that is what a sparse one waits for.

    Attributes:
        words: uint32 [words, pixels], two examples each, less the whole number next to the mean; zeros
            where the batch has ended.
        mean, std: float32 [1], for normalisation.
        shape: as that of an array of images: (batch, height, width, 1), or flat: (batch, pixels).
    """

    words: jax.Array
    mean: Array
    std: Array
    shape: tuple[int, ...] = field(metadata={"static": True})

    def reshape(self, batch: int, pixels: Literal[-1]) -> Self:
        """Return the images as rows of pixels, as `reshape` of an array does; no byte moves."""
        return replace(self, shape=(batch, math.prod(self.shape[1:])))


Images = jax.Array | Pixels
"""A batch as a network takes it: normalised, float32 [batch, height, width, channels], or pixels."""


def pixels(images: Array, chosen: Array, mean: Array, std: Array, coming: Array | None = None) -> Pixels:
    """Chosen ones, int32 [batch], of uint8 images [count, height, width, 1]; mean and std are float32 [1].

    `coming`: a guess at those of the next call, int32 [batch]. Memory is asked for them in time.

    Raises:
        jax.errors.JaxRuntimeError: at run time, for images that are not there.
    """
    instruction_set()  # which makes the library known
    batch, (height, width) = len(chosen), images.shape[1:3]
    lines = -(-batch // LINE)
    words = jax.ShapeDtypeStruct((lines * LINE // 2, height * width), jnp.uint32)
    call = jax.ffi.ffi_call("ltr_pixels", words, output_layouts=(1, 0), vmap_method="sequential")
    found = call(images, chosen, jnp.zeros(0, jnp.int32) if coming is None else coming, mean)
    return Pixels(found, mean, std, (batch, height, width, 1))
