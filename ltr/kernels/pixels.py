"""Images as integers, so that a packed layer that reads them reads few bytes."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Float32, Int32, UInt8, UInt32

from ltr.kernels.fused import ByteImages
from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import Array

LINE = 32
"""Examples per cache line (see `products.h`)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Pixels:
    """A batch of images of one channel, which `dense` normalises while it reads them.

    Integers up to 256 are exact in bfloat16, the upper half of a float32, and two of them fit into a word. So
    a layer reads half as many bytes as from float32 images. Reading limits the speed of sparse layers.

    Attributes:
        words: each holds the pixel of two examples, minus the integer nearest to the mean. The padding of the
            batch is zero.
        mean, std: for normalisation.
        shape: shape of the images: (batch, height, width, 1), or flat: (batch, pixels).
    """

    words: UInt32[Array, "words pixels"]
    mean: Float32[Array, "1"]
    std: Float32[Array, "1"]
    shape: tuple[int, ...] = field(metadata={"static": True})

    def reshape(self, batch: int, pixels: Literal[-1]) -> "Pixels":
        """Return the images as rows of pixels, as `reshape` of an array does, without a copy."""
        return replace(self, shape=(batch, math.prod(self.shape[1:])))


Images = Float32[Array, "batch height width channels"] | Pixels | ByteImages
"""Batch of inputs of a network, normalised, or as `Pixels` or `ByteImages`, which their layer normalises."""


def pixels(
    images: UInt8[Array, "count height width 1"],
    chosen: Int32[Array, "batch"],
    mean: Float32[Array, "1"],
    std: Float32[Array, "1"],
    coming: Int32[Array, "batch"] | None = None,
) -> Pixels:
    """Return the chosen images as `Pixels`.

    Args:
        images: images of the data set.
        chosen: indices of images.
        mean: mean of the data set.
        std: standard deviation of the data set.
        coming: guess at the indices of the next call, to prefetch their images.

    Raises:
        jax.errors.JaxRuntimeError: at run time, if an index is out of bounds.
    """
    instruction_set()  # registers the library
    batch, (height, width) = len(chosen), images.shape[1:3]
    lines = -(-batch // LINE)
    words = jax.ShapeDtypeStruct((lines * LINE // 2, height * width), jnp.uint32)
    call = jax.ffi.ffi_call("ltr_pixels", words, output_layouts=(1, 0), vmap_method="sequential")
    packed = call(images, chosen, jnp.zeros(0, jnp.int32) if coming is None else coming, mean)
    return Pixels(packed, mean, std, (batch, height, width, 1))
