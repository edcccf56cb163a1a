"""Dense 3x3 convolutions by Winograd's minimal filtering, and their gradients, computed by the library."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32

from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import Array

_CHUNK = 60
"""Tiles that a thread transforms at once (see winograd.inc)."""


@partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def conv3x3(
    x: Float32[Array, "batch height width in"],
    kernel: Float32[Array, "3 3 in out"],
    bias: Float32[Array, "out"],
    relu: bool,
    pool: bool,
    tile: int,
) -> Float32[jax.Array, "batch rows columns out"]:
    """Convolve x with a kernel and add bias.

    Zero padding keeps the shape. The gradients follow those of the plain operations in exact arithmetic; the
    gradient of pooling goes in equal parts to the equal largest pixels of a square.

    Args:
        x: images.
        kernel: kernel.
        bias: bias.
        relu: whether relu follows.
        pool: whether 2x2 max pooling follows, after relu alone; an odd last row or column is dropped.
        tile: results of a tile in each direction: 4, which is faster, or 2, whose rounding errors are about
            ten times smaller (Lavin & Gray, 2016).

    Returns:
        Images of `height` rows and `width` columns; with `pool` of half as many, rounded down.

    Raises:
        ValueError: pooling without relu.
        jax.errors.JaxRuntimeError: at run time, for shapes that do not fit.
    """
    return _forward(x, kernel, bias, relu, pool, tile)[0]


def scratch(in_channels: int, out_channels: int, tile: int) -> int:
    """Return the bytes that a thread keeps for a convolution by tiles of this size, and its gradients."""
    positions = (tile + 2) ** 2
    of_kernel, of_images = in_channels * out_channels, _CHUNK * (in_channels + out_channels)
    return 2 * positions * (of_kernel + of_images) * np.dtype(np.float32).itemsize


def _forward(
    x: Array, kernel: Array, bias: Array, relu: bool, pool: bool, tile: int
) -> tuple[jax.Array, Any]:
    batch, height, width, _ = x.shape
    if pool and not relu:
        raise ValueError("pool=True, relu=False: pooling must follow relu")
    if pool:
        shape = (batch, height // 2, width // 2, bias.shape[0])
        results = jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct(shape, jnp.uint8)
        y, corners = _call("ltr_winograd_pooled", results, x, kernel, bias, tile=tile)
        return y, (x, kernel, corners)
    result = jax.ShapeDtypeStruct((batch, height, width, bias.shape[0]), jnp.float32)
    y = _call("ltr_winograd", result, x, kernel, bias, tile=tile, relu=relu)
    return y, (x, kernel, y if relu else jnp.zeros(0))


def _backward(
    relu: bool, pool: bool, tile: int, saved: Any, gradient: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the gradients, by two calls: XLA drops that of x if it is not used."""
    x, kernel, through = saved
    input_gradient = _call("ltr_winograd_of_inputs", x, gradient, through, kernel, tile=tile)
    bias = jax.ShapeDtypeStruct(kernel.shape[-1:], jnp.float32)
    weights = _call("ltr_winograd_of_kernel", (kernel, bias), x, gradient, through, tile=tile)
    return input_gradient, *weights


conv3x3.defvjp(_forward, _backward)


def _call(name: str, results: Any, *operands: Array, tile: int, **attributes: bool) -> Any:
    instruction_set()  # registers the library
    shapes = jax.tree.map(lambda like: jax.ShapeDtypeStruct(like.shape, like.dtype), results)
    call = jax.ffi.ffi_call(name, shapes, vmap_method="sequential")
    return call(*operands, tile=np.int64(tile), **attributes)
