"""The products inside layers: the one seam at which another implementation can take their place."""

from functools import partial

import jax
from jax import lax

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiplies x [batch, in], kernel [in, out] -> [batch, out]."""
    return x @ kernel


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Convolves x [batch, height, width, in], kernel [odd, odd, in, out].

    Zero padding that keeps the size, of which every `stride`-th row and column is computed:
    -> [batch, ceil(height / stride), ceil(width / stride), out].

    Autodiff writes the gradients as convolutions in layouts that XLA's CPU backend runs naively once
    their operands come from outside a loop (jax issue 12868: 100 times slower in a scan). Here both
    are plain channels-last convolutions of transposed arrays, with the same values.
    """
    return _convolve(x, kernel, stride, _halves(kernel))


def _forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(x, kernel, stride, _halves(kernel)), (x, kernel)


def _backward(
    stride: int, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    gradient = _spread(gradient, stride, x.shape[1:3])
    of_x = _convolve(gradient, kernel[::-1, ::-1].swapaxes(2, 3), 1, _halves(kernel))
    of_kernel = _convolve(x.transpose(3, 1, 2, 0), gradient.transpose(1, 2, 0, 3), 1, _halves(kernel))
    return of_x, of_kernel.transpose(1, 2, 0, 3)


conv.defvjp(_forward, _backward)


def _convolve(x: jax.Array, kernel: jax.Array, stride: int, padding: list[tuple[int, int]]) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=_LAYOUT)


def _halves(kernel: jax.Array) -> list[tuple[int, int]]:
    return [(size // 2, size // 2) for size in kernel.shape[:2]]


def _spread(gradient: jax.Array, stride: int, size: tuple[int, ...]) -> jax.Array:
    """The gradient at every pixel: zero at those that the stride skips."""
    if stride == 1:
        return gradient
    ends = [full - (1 + (part - 1) * stride) for full, part in zip(size, gradient.shape[1:3], strict=True)]
    edges = [(0, 0, 0), *((0, end, stride - 1) for end in ends), (0, 0, 0)]
    return lax.pad(gradient, 0.0, edges)
