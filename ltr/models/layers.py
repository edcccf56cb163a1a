"""The layers that networks share."""

import math
from functools import partial, reduce
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ltr.kernels import Pixels, SparseKernel
from ltr.models import arithmetic

GLOROT = nn.initializers.variance_scaling(1.0, "fan_avg", "normal")
"""Gaussian of variance 2 / (fan_in + fan_out) (Glorot & Bengio, 2010), as in Frankle & Carbin (2019)."""

KAIMING = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
"""Gaussian of variance 2 / fan_in (He et al., 2015)."""


class Dense(nn.Module):
    """x [batch, ...], flattened -> [batch, features]."""

    features: int
    kernel_init: Any = GLOROT

    @nn.compact
    def __call__(self, x: jax.Array | Pixels) -> jax.Array:
        kernel = _kernel(self, self.kernel_init, (math.prod(x.shape[1:]), self.features))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return arithmetic.dense(x, kernel, bias)

    def uses(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return, for an input of `shape`, the products of an example that a weight is in: int64 [1, 1]."""
        return np.ones((1, 1), np.int64)


class Conv(nn.Module):
    """Convolution: x [batch, height, width, in] -> [batch, ceil(height / stride), ..., features].

    `use_bias=False` where batch normalisation follows, whose shift takes its place.
    """

    features: int
    size: int = 3
    stride: int = 1
    use_bias: bool = True
    kernel_init: Any = GLOROT

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel, bias = _kernel(self, self.kernel_init, shape), None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return arithmetic.conv(x, kernel, bias, self.stride)

    def uses(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return, for an input of `shape`, the products of an image that a weight of each tap is in.

        A tap takes part where it falls on the image, not on the padding: int64 [size, size, 1, 1].
        """
        rows, columns = (_taps_inside(length, self.size, self.stride) for length in shape[1:3])
        return np.multiply.outer(rows, columns)[..., None, None]


def _taps_inside(length: int, size: int, stride: int) -> np.ndarray:
    """Return how often each of the `size` taps of a row falls on its `length` pixels: int64 [size]."""
    pixels = np.arange(0, length, stride)[:, None] + np.arange(size) - size // 2
    return np.count_nonzero((pixels >= 0) & (pixels < length), axis=0)


def _kernel(layer: nn.Module, init: Any, shape: tuple[int, ...]) -> Any:
    """A layer's kernel, which may be handed in packed: of a shape that Flax would not take."""
    given: Any = layer.get_variable("params", "kernel")
    return given if isinstance(given, SparseKernel) else layer.param("kernel", init, shape)


BatchNorm = partial(nn.BatchNorm, momentum=0.9)
"""Batch normalisation (Ioffe & Szegedy, 2015); call it with `use_running_average=not train`."""


def max_pool(x: jax.Array) -> jax.Array:
    """2x2 max pooling, x [batch, height, width, channels]; an odd last row or column is dropped.

    Its gradient goes to the largest of a square, to equal parts where several are.
    """
    height, width = (size // 2 * 2 for size in x.shape[1:3])
    return _max_pool(x[:, :height, :width])


def _largest(x: jax.Array) -> jax.Array:
    """By strided slices, and its gradient by indices.

    Where the batch lies innermost, as sparse kernels leave it, the CPU compiler lays whatever is
    reshaped out anew: with reshapes a step of conv2 at a density of 0.1 took a third longer.
    """
    return reduce(jnp.maximum, _corners(x))


def _corners(x: jax.Array) -> list[jax.Array]:
    """The four pixels of each square, each [batch, height / 2, width / 2, channels]."""
    return [x[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]


_max_pool = jax.custom_vjp(_largest)


def _max_pool_forward(x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    y = _largest(x)
    return y, (x, y)


def _max_pool_backward(saved: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array]:
    x, y = saved
    share = gradient / sum((corner == y).astype(x.dtype) for corner in _corners(x))
    rows, columns = (np.arange(size) // 2 for size in x.shape[1:3])

    def spread(pooled: jax.Array) -> jax.Array:
        return pooled[:, rows][:, :, columns]

    return (jnp.where(x == spread(y), spread(share), 0),)


_max_pool.defvjp(_max_pool_forward, _max_pool_backward)


def global_average_pool(x: jax.Array) -> jax.Array:
    """Each channel's mean over the image: x [batch, height, width, channels] -> [batch, channels]."""
    return x.mean((1, 2))


def scaled(width: int, by: float) -> int:
    """Units or channels of a layer, a multiple of what the paper has, at least 1."""
    return max(1, round(width * by))
