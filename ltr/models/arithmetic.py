"""The products inside layers: the one seam at which another implementation can take their place."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from ltr import kernels
from ltr.kernels import Pixels, SparseKernel

_LAYOUT = ("NHWC", "HWIO", "NHWC")

_IMAGES = 4
"""Images of which the CPU computes a kernel's gradient at once: few enough to stay in a core's cache."""


def dense(x: jax.Array | Pixels, kernel: jax.Array | SparseKernel, bias: jax.Array) -> jax.Array:
    """Multiplies x [batch, ...], flattened to [batch, in], kernel [in, out], adds bias -> [batch, out].

    Pixels go with a packed kernel.
    """
    if isinstance(x, Pixels):
        return kernels.dense(x, kernel, bias)
    flat = x.reshape(x.shape[0], -1)
    if isinstance(kernel, SparseKernel):
        return kernels.dense(flat if x.ndim == 2 else kernels.by_unit(flat), kernel, bias)
    return flat @ kernel + bias


def conv(
    x: jax.Array, kernel: jax.Array | SparseKernel, bias: jax.Array | None = None, stride: int = 1
) -> jax.Array:
    """Convolves x [batch, height, width, in], kernel [odd, odd, in, out], and adds bias [out], if any.

    Zero padding that keeps the size, of which every `stride`-th row and column is computed:
    -> [batch, ceil(height / stride), ceil(width / stride), out].
    """
    if isinstance(kernel, SparseKernel):
        none = jnp.zeros(kernel.pattern.starts.shape[0] - 1)
        return kernels.conv(x, kernel, none if bias is None else bias, stride)
    y = _conv(x, kernel, stride)
    return y if bias is None else y + bias


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """With gradients of its own.

    Autodiff writes the gradients as convolutions in layouts that XLA's CPU backend runs naively once
    their operands come from outside a loop (jax issue 12868: 100 times slower in a scan). Here the one
    of x is a plain channels-last convolution and, on the CPU, the one of the kernel a sum of matrix
    products: the same values, up to the order of summation.
    """
    return _convolve(x, kernel, stride)


def _forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(x, kernel, stride), (x, kernel)


def _backward(
    stride: int, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    of_x = _of_x(stride, *saved, gradient)
    of_kernel = lax.platform_dependent(
        *saved, gradient, cpu=partial(_of_kernel, stride), default=partial(_of_kernel_by_autodiff, stride)
    )
    return of_x, of_kernel


_conv.defvjp(_forward, _backward)


def _convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    padding = [(half, half) for half in _halves(kernel)]
    return lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=_LAYOUT)


def _of_x(stride: int, x: jax.Array, kernel: jax.Array, gradient: jax.Array) -> jax.Array:
    """The gradient, spread out by the stride, convolved with the kernel turned round."""
    sizes = zip(_halves(kernel), x.shape[1:3], _spans(gradient, stride), strict=True)
    padding = [(half, half + size - span) for half, size, span in sizes]
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    return lax.conv_general_dilated(
        gradient, turned, (1, 1), padding, lhs_dilation=(stride, stride), dimension_numbers=_LAYOUT
    )


def _of_kernel(stride: int, x: jax.Array, kernel: jax.Array, gradient: jax.Array) -> jax.Array:
    """For each place in the kernel, the pixels that it saw times the gradient of what it made of them."""
    padding = [(0, 0), *((half, half) for half in _halves(kernel)), (0, 0)]
    height, width = _spans(gradient, stride)

    def add(total: jax.Array, images: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        x, gradient = jnp.pad(images[0], padding), _pixels(images[1])

        def at(row: int, column: int) -> jax.Array:
            seen = _pixels(x[:, row : row + height : stride, column : column + width : stride])
            return lax.dot_general(seen, gradient, (((0,), (0,)), ((), ())))

        rows, columns, *_ = kernel.shape
        num_positions = [[at(row, column) for column in range(columns)] for row in range(rows)]
        return total + jnp.stack([jnp.stack(row) for row in num_positions]), None

    count = next(count for count in range(_IMAGES, 0, -1) if len(x) % count == 0)
    batches = [array.reshape(-1, count, *array.shape[1:]) for array in (x, gradient)]
    return lax.scan(add, jnp.zeros_like(kernel), tuple(batches))[0]


def _of_kernel_by_autodiff(stride: int, x: jax.Array, kernel: jax.Array, gradient: jax.Array) -> jax.Array:
    """What an accelerator's compiler knows by sight."""
    return jax.vjp(lambda kernel: _convolve(x, kernel, stride), kernel)[1](gradient)[0]


def _pixels(x: jax.Array) -> jax.Array:
    """[batch, height, width, channels] -> [pixels, channels]."""
    return x.reshape(-1, x.shape[-1])


def _halves(kernel: jax.Array) -> list[int]:
    return [size // 2 for size in kernel.shape[:2]]


def _spans(gradient: jax.Array, stride: int) -> list[int]:
    """The rows and columns of x from the first that the stride computes to the last."""
    return [1 + (size - 1) * stride for size in gradient.shape[1:3]]
