"""Convolution, with gradients that are fast on a CPU inside a loop."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float32

_LAYOUT = ("NHWC", "HWIO", "NHWC")

_IMAGES = 4
"""Images per step of the CPU's kernel gradient, so that they stay in a core's cache."""


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv(
    x: Float32[jax.Array, "batch height width in"],
    kernel: Float32[jax.Array, "odd odd in out"],
    stride: int = 1,
) -> Float32[jax.Array, "batch rows columns out"]:
    """Convolve x with a kernel of odd size.

    Zero padding keeps the size; every `stride`-th row and column is computed, so that rows are
    ceil(height / stride) and columns ceil(width / stride).

    Autodiff writes the gradients as convolutions in layouts that XLA's CPU backend runs naively if their
    operands come from outside a loop (jax issue 12868: 100 times slower in a scan). Here the gradient of x is
    a plain channels-last convolution. On the CPU the gradient of the kernel is a sum of matrix products. The
    values are the same, up to the order of summation.
    """
    return _convolve(x, kernel, stride)


def _forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(x, kernel, stride), (x, kernel)


def _backward(
    stride: int, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    input_gradient = _input_gradient(stride, *saved, gradient)
    kernel_gradient = lax.platform_dependent(
        *saved,
        gradient,
        cpu=partial(_kernel_gradient, stride),
        default=partial(_kernel_gradient_by_autodiff, stride),
    )
    return input_gradient, kernel_gradient


conv.defvjp(_forward, _backward)


def _convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    padding = [(half, half) for half in _halves(kernel)]
    return lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=_LAYOUT)


def _input_gradient(stride: int, x: jax.Array, kernel: jax.Array, gradient: jax.Array) -> jax.Array:
    """Convolve the gradient, dilated by the stride, with the flipped kernel."""
    sizes = zip(_halves(kernel), x.shape[1:3], _spans(gradient, stride), strict=True)
    padding = [(half, half + size - span) for half, size, span in sizes]
    flipped = kernel[::-1, ::-1].swapaxes(2, 3)
    return lax.conv_general_dilated(
        gradient, flipped, (1, 1), padding, lhs_dilation=(stride, stride), dimension_numbers=_LAYOUT
    )


def _kernel_gradient(stride: int, x: jax.Array, kernel: jax.Array, gradient: jax.Array) -> jax.Array:
    """Sum over the images, for each tap of the kernel, the outer products of its inputs and the gradient."""
    padding = [(0, 0), *((half, half) for half in _halves(kernel)), (0, 0)]
    height, width = _spans(gradient, stride)

    def add(total: jax.Array, images: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        x, gradient = jnp.pad(images[0], padding), _pixels(images[1])

        def tap(row: int, column: int) -> jax.Array:
            inputs = _pixels(x[:, row : row + height : stride, column : column + width : stride])
            return lax.dot_general(inputs, gradient, (((0,), (0,)), ((), ())))

        rows, columns, *_ = kernel.shape
        taps = [[tap(row, column) for column in range(columns)] for row in range(rows)]
        return total + jnp.stack([jnp.stack(row) for row in taps]), None

    count = next(count for count in range(_IMAGES, 0, -1) if len(x) % count == 0)
    batches = [array.reshape(-1, count, *array.shape[1:]) for array in (x, gradient)]
    return lax.scan(add, jnp.zeros_like(kernel), tuple(batches))[0]


def _kernel_gradient_by_autodiff(
    stride: int, x: jax.Array, kernel: jax.Array, gradient: jax.Array
) -> jax.Array:
    """Differentiate the convolution by autodiff, which compilers for accelerators recognise."""
    return jax.vjp(lambda kernel: _convolve(x, kernel, stride), kernel)[1](gradient)[0]


def _pixels(x: Float32[jax.Array, "batch height width channels"]) -> Float32[jax.Array, "pixels channels"]:
    """Reshape images to rows of the channels of a pixel."""
    return x.reshape(-1, x.shape[-1])


def _halves(kernel: jax.Array) -> list[int]:
    return [size // 2 for size in kernel.shape[:2]]


def _spans(gradient: jax.Array, stride: int) -> list[int]:
    """Return the rows and columns of x from the first to the last that the stride computes."""
    return [1 + (size - 1) * stride for size in gradient.shape[1:3]]
