"""The products inside layers: the one seam at which another implementation can take their place."""

import jax
from jax import lax

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiplies x [batch, in], kernel [in, out] -> [batch, out]."""
    return x @ kernel


@jax.custom_vjp
def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves x [batch, height, width, in], kernel [odd, odd, in, out] -> [batch, height, width, out].

    Stride 1, zero padding that keeps the size. Autodiff writes the gradients as convolutions in
    layouts that XLA's CPU backend runs naively once their operands come from outside a loop (jax
    issue 12868: 100 times slower in a scan). Here both are plain channels-last convolutions of
    transposed arrays, with the same values.
    """
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return conv(x, kernel), (x, kernel)


def _backward(saved: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    of_x = conv(gradient, kernel[::-1, ::-1].swapaxes(2, 3))
    of_kernel = lax.conv_general_dilated(
        x.transpose(3, 1, 2, 0),
        gradient.transpose(1, 2, 0, 3),
        window_strides=(1, 1),
        padding=[(size // 2, size // 2) for size in kernel.shape[:2]],
        dimension_numbers=_LAYOUT,
    )
    return of_x, of_kernel.transpose(1, 2, 0, 3)


conv.defvjp(_forward, _backward)
