"""Layers that networks share."""

from functools import partial, reduce
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, Int64

from ltr.kernels import Array, Images
from ltr.models.convolution import conv

GLOROT = nn.initializers.variance_scaling(1.0, "fan_avg", "normal")
"""Gaussian of variance 2 / (fan_in + fan_out) (Glorot & Bengio, 2010), as in Frankle & Carbin (2019)."""

KAIMING = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
"""Gaussian of variance 2 / fan_in (He et al., 2015)."""


Dense = partial(nn.Dense, kernel_init=GLOROT)
"""Dense layer of Flax: x [..., in] -> [..., features], applied to each token if there are tokens.

Images must go through `flatten` first.
"""


class Conv(nn.Module):
    """Convolution; every `stride`-th row and column is computed.

    Zero padding keeps the size before striding. Use `use_bias=False` before batch normalisation, whose shift
    replaces the bias. With `relu`, ReLU follows, and with `pool` then 2x2 max pooling; a faster path may
    compute them in the same pass.
    """

    features: int
    size: int = 3
    stride: int = 1
    use_bias: bool = True
    relu: bool = False
    pool: bool = False
    kernel_init: Any = GLOROT

    @nn.compact
    def __call__(
        self, x: Float32[Array, "batch height width in"]
    ) -> Float32[jax.Array, "batch rows columns {self.features}"]:
        shape = (self.size, self.size, x.shape[-1], self.features)
        y = self.convolve(x, self.param("kernel", self.kernel_init, shape))
        if self.use_bias:
            y += self.param("bias", nn.initializers.zeros_init(), shape[-1:])
        return self.followed(y)

    def convolve(self, x: Array, kernel: jax.Array) -> jax.Array:
        """Convolve x with a kernel; `ltr.models.conv_forms` has other ways to compute it."""
        return conv(x, kernel, self.stride)

    def followed(self, y: jax.Array) -> jax.Array:
        """Apply what follows the convolution to its result."""
        y = nn.relu(y) if self.relu else y
        return max_pool(y) if self.pool else y

    def products(self, shape: tuple[int, ...]) -> Int64[np.ndarray, "{self.size} {self.size} 1 1"]:
        """Return how many products of an image a weight of each tap takes part in.

        Positions at which the tap falls on padding do not count. `shape` is that of the input.
        """
        rows, columns = (_taps_inside(length, self.size, self.stride) for length in shape[1:3])
        return np.multiply.outer(rows, columns)[..., None, None]


def _taps_inside(length: int, size: int, stride: int) -> Int64[np.ndarray, "{size}"]:
    """Return how often each of the `size` taps in a row falls on one of `length` pixels."""
    pixels = np.arange(0, length, stride)[:, None] + np.arange(size) - size // 2
    return np.count_nonzero((pixels >= 0) & (pixels < length), axis=0)


class BatchNorm(nn.BatchNorm):
    """Batch normalisation (Ioffe & Szegedy, 2015); make it with `use_running_average=not train`.

    A residual is added to its result. With `relu`, ReLU follows then; a faster path may compute both in the
    same pass.
    """

    momentum: float = 0.9
    relu: bool = False

    def __call__(
        self,
        x: Float32[Array, "*batch channels"],
        use_running_average: bool | None = None,
        *,
        mask: jax.Array | None = None,
        residual: Float32[Array, "*batch channels"] | None = None,
    ) -> Float32[jax.Array, "*batch channels"]:
        y = super().__call__(x, use_running_average, mask=mask)
        y = y if residual is None else residual + y
        return nn.relu(y) if self.relu else y


def flatten(x: Images) -> Any:
    """Reshape x [batch, ...] to [batch, features], the input of a dense layer."""
    return x.reshape(x.shape[0], -1)


def max_pool(
    x: Float32[Array, "batch height width channels"],
) -> Float32[jax.Array, "batch height//2 width//2 channels"]:
    """Apply 2x2 max pooling; an odd last row or column is dropped.

    The gradient goes to the largest pixel of each square, and in equal parts to several equal ones.
    """
    height, width = (size // 2 * 2 for size in x.shape[1:3])
    return _max_pool(x[:, :height, :width])


def _largest(x: jax.Array) -> jax.Array:
    """Return the largest pixel of each square by strided slices; its gradient is computed by indices.

    Sparse kernels leave the batch innermost in memory. There the CPU compiler copies every array that is
    reshaped: with reshapes a step of conv2 at a density of 0.1 took a third longer.
    """
    return reduce(jnp.maximum, _corners(x))


def _corners(x: jax.Array) -> list[jax.Array]:
    """Return the four pixels of each square, each [batch, height / 2, width / 2, channels]."""
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


def global_average_pool(
    x: Float32[Array, "batch height width channels"],
) -> Float32[jax.Array, "batch channels"]:
    """Average each channel over the image."""
    return x.mean((1, 2))


def scaled(width: int, factor: float) -> int:
    """Return the units or channels of a layer: `factor` times those of the paper, rounded, at least 1."""
    return max(1, round(width * factor))
