"""Layers with a sparse kernel, and their gradients, computed by the library."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32

from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import Array, SparseKernel, SparsityPattern
from ltr.kernels.pixels import Pixels

_BY_UNIT = {1: (0,), 2: (1, 0), 4: (1, 2, 3, 0)}
"""Number of dimensions -> memory layout that the library uses, slowest axis first.

A batch [batch, units] lies unit by unit, images [batch, height, width, channels] pixel by pixel.
"""


@jax.custom_vjp
def dense(
    x: Float32[Array, "batch in"] | Pixels, kernel: SparseKernel, bias: Float32[Array, "out"]
) -> Float32[jax.Array, "batch out"]:
    """Multiply x by a sparse kernel [in, out] and add bias.

    Gradients are those of x, of the kernel's values and of bias. Pruned weights and `Pixels` have none.

    Raises:
        jax.errors.JaxRuntimeError: at run time, for shapes that do not fit or indices out of bounds.
    """
    values, pattern = kernel
    y = jax.ShapeDtypeStruct((x.shape[0], pattern.starts.shape[0] - 1), jnp.float32)
    weights = values, bias, pattern.starts, pattern.inputs
    if isinstance(x, Pixels):
        return _call("ltr_forward_pixels", y, x.words, x.mean, x.std, *weights)
    return _call("ltr_forward", y, x, *weights)


def _dense_forward(x: jax.Array | Pixels, kernel: SparseKernel, bias: jax.Array) -> tuple[jax.Array, Any]:
    return dense(x, kernel, bias), (x, kernel, bias)


def _dense_backward(saved: Any, gradient: jax.Array) -> tuple[jax.Array | None, SparseKernel, jax.Array]:
    """Return the gradients, by two calls: XLA drops that of x if it is not used."""
    x, (values, pattern), bias = saved
    by_output, input_gradient = (pattern.starts, pattern.inputs), None
    if isinstance(x, Pixels):
        pixels = x.words, x.mean, x.std
        weights = _call("ltr_of_weights_pixels", (values, bias), *pixels, gradient, *by_output)
    else:
        by_input = pattern.by_input, pattern.outputs, pattern.places
        input_gradient = _call("ltr_of_inputs", x, gradient, values, *by_input)
        weights = _call("ltr_of_weights", (values, bias), x, gradient, *by_output)
    return input_gradient, SparseKernel(weights[0], NO_GRADIENT), weights[1]


dense.defvjp(_dense_forward, _dense_backward)

NO_GRADIENT: Any = SparsityPattern(*[None] * len(SparsityPattern._fields))  # type: ignore[arg-type]
"""Gradient of a pattern, which has none."""


@partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def conv(
    x: Float32[jax.Array, "batch height width in"],
    kernel: SparseKernel,
    bias: Float32[Array, "out"],
    stride: int,
    relu: bool = False,
    pool: bool = False,
) -> Float32[jax.Array, "batch rows columns out"]:
    """Convolve x with a sparse kernel [size, size, in, out] of odd size and add bias.

    Zero padding keeps the shape; every `stride`-th row and column is computed, so that rows are
    ceil(height / stride) and columns ceil(width / stride). The kernel's pattern is that of a matrix
    [size x size x in, out].

    Args:
        x: images.
        kernel: kernel.
        bias: bias.
        stride: distance of the computed rows, and of the columns.
        relu: whether relu follows.
        pool: whether 2x2 max pooling follows, after relu alone; an odd last row or column is dropped. Its
            gradient goes in equal parts to the equal largest pixels of a square.

    Raises:
        ValueError: pooling without relu.
        jax.errors.JaxRuntimeError: at run time, for shapes that do not fit or indices out of bounds.
    """
    return _conv_forward(x, kernel, bias, stride, relu, pool)[0]


def _conv_forward(
    x: jax.Array, kernel: SparseKernel, bias: Array, stride: int, relu: bool, pool: bool
) -> tuple[jax.Array, Any]:
    if pool and not relu:
        raise ValueError("pool=True, relu=False: pooling must follow relu")
    values, pattern = kernel
    batch, height, width, _ = x.shape
    rows, columns, out = -(-height // stride), -(-width // stride), pattern.starts.shape[0] - 1
    operands = x, values, bias, pattern.starts, pattern.inputs
    taps = _taps(x, pattern, stride)
    if pool:
        shape = (batch, rows // 2, columns // 2, out)
        results = jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct(shape, jnp.uint8)
        y, corners = _call("ltr_convolve_pooled", results, *operands, **taps)
        return y, (x, kernel, bias, corners)
    y = jax.ShapeDtypeStruct((batch, rows, columns, out), jnp.float32)
    y = _call("ltr_convolve", y, *operands, **taps, relu=relu)
    return y, (x, kernel, bias, y)


def _conv_backward(
    stride: int, relu: bool, pool: bool, saved: Any, gradient: jax.Array
) -> tuple[jax.Array, SparseKernel, jax.Array]:
    x, (values, pattern), bias, through = saved
    if pool:
        rows, columns = (-(-length // stride) for length in x.shape[1:3])
        unpooled = jax.ShapeDtypeStruct((x.shape[0], rows, columns, gradient.shape[-1]), jnp.float32)
        gradient = _call("ltr_unpool", unpooled, gradient, through)
    elif relu:
        gradient = jnp.where(through > 0, gradient, 0)
    taps, by_input = _taps(x, pattern, stride), (pattern.by_input, pattern.outputs, pattern.places)
    input_gradient = _call("ltr_of_images", x, gradient, values, *by_input, **taps)
    weights = _call("ltr_of_kernel", (values, bias), x, gradient, pattern.starts, pattern.inputs, **taps)
    return input_gradient, SparseKernel(weights[0], NO_GRADIENT), weights[1]


conv.defvjp(_conv_forward, _conv_backward)


def _taps(x: jax.Array, pattern: SparsityPattern, stride: int) -> dict[str, np.int64]:
    size = math.isqrt((pattern.by_input.shape[0] - 1) // x.shape[-1])
    return {"size": np.int64(size), "stride": np.int64(stride)}


@jax.custom_vjp
def by_unit(x: Float32[jax.Array, "batch units"]) -> Float32[jax.Array, "batch units"]:
    """Copy x to a memory layout unit by unit for `dense`, faster than XLA does."""
    return _transpose(x).T


by_unit.defvjp(lambda x: (by_unit(x), None), lambda _, gradient: (_transpose(gradient.T),))


def _transpose(x: jax.Array) -> jax.Array:
    instruction_set()  # registers the library
    shape = jax.ShapeDtypeStruct(x.shape[::-1], jnp.float32)
    return jax.ffi.ffi_call("ltr_transpose", shape, vmap_method="sequential")(x)


def _call(name: str, results: Any, *operands: Array, **attributes: np.int64 | bool) -> Any:
    """Call a function of the library; results have the shapes of `results`. Under `vmap` it is sequential."""
    instruction_set()  # registers the library
    call = jax.ffi.ffi_call(
        name,
        jax.tree.map(lambda like: jax.ShapeDtypeStruct(like.shape, like.dtype), results),
        input_layouts=[_BY_UNIT[operand.ndim] for operand in operands],
        output_layouts=jax.tree.map(lambda like: _BY_UNIT[len(like.shape)], results),
        vmap_method="sequential",
    )
    return call(*operands, **attributes)
