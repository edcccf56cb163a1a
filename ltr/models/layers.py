"""The layers that networks share."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltr.models import arithmetic

gaussian_glorot = nn.initializers.variance_scaling(1.0, "fan_avg", "normal")
"""Variance 2 / (fan_in + fan_out), not truncated (Glorot & Bengio, 2010), as in Frankle & Carbin (2019)."""


class Dense(nn.Module):
    """x [batch, in] -> [batch, features]."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", gaussian_glorot, (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return arithmetic.dense(x, kernel) + bias


class Conv(nn.Module):
    """3x3 convolution that keeps the size: x [batch, height, width, in] -> [..., features]."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", gaussian_glorot, (3, 3, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return arithmetic.conv(x, kernel) + bias


def max_pool(x: jax.Array) -> jax.Array:
    """2x2 max pooling, x [batch, height, width, channels]; an odd last row or column is dropped.

    By reshape and max, which is faster on the CPU than `lax.reduce_window`.
    """
    batch, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    return jnp.max(x.reshape(batch, height // 2, 2, width // 2, 2, channels), axis=(2, 4))
