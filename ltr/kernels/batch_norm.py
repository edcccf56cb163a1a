"""Batch normalisation in training, with what follows it, and its gradients, computed by the library."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32

from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import Array

Channels = Float32[Array, "channels"]
"""A value of each channel."""


@partial(jax.custom_vjp, nondiff_argnums=(4, 5))
def batch_norm(
    x: Float32[Array, "... channels"],
    scale: Channels,
    shift: Channels,
    residual: Float32[Array, "... channels"] | None,
    relu: bool,
    epsilon: float,
) -> tuple[Float32[jax.Array, "... channels"], Channels, Channels]:
    """Normalise each channel of x by its mean and variance over all other axes (Ioffe & Szegedy, 2015).

    Args:
        x: images, or rows of features.
        scale: factor of each channel after its normalisation.
        shift: shift of each channel after that.
        residual: added to the result; None if there is none.
        relu: whether relu follows.
        epsilon: added to the variance.

    Returns:
        The result, and the mean and the variance of x, for running statistics. These two have no gradient.

    Raises:
        jax.errors.JaxRuntimeError: at run time, for shapes that do not fit.
    """
    return _forward(x, scale, shift, residual, relu, epsilon)[0]


def _forward(
    x: Array, scale: Array, shift: Array, residual: Array | None, relu: bool, epsilon: float
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], Any]:
    pixels = _pixels(x)
    added = jnp.zeros((0, 0)) if residual is None else _pixels(residual)
    of_channels = jax.ShapeDtypeStruct(scale.shape, jnp.float32)
    results = jax.ShapeDtypeStruct(pixels.shape, jnp.float32), of_channels, of_channels
    call = jax.ffi.ffi_call("ltr_batch_norm", results, vmap_method="sequential")
    instruction_set()  # registers the library
    y, mean, variance = call(pixels, scale, shift, added, relu=relu, epsilon=np.float64(epsilon))
    through = None if residual is None else y if relu else added[:0]
    return (y.reshape(x.shape), mean, variance), (x, scale, shift, mean, variance, through)


def _backward(relu: bool, epsilon: float, saved: Any, gradients: Any) -> Any:
    x, scale, shift, mean, variance, through = saved
    gradient, *_ = gradients
    y = jnp.zeros((0, 0)) if through is None else through
    like = [jax.ShapeDtypeStruct(each.shape, jnp.float32) for each in (_pixels(x), scale, shift, y)]
    call = jax.ffi.ffi_call("ltr_batch_norm_gradient", like, vmap_method="sequential")
    instruction_set()
    operands = _pixels(gradient), _pixels(x), y, scale, shift, mean, variance
    of_x, of_scale, of_shift, of_residual = call(*operands, relu=relu, epsilon=np.float64(epsilon))
    residual = None if through is None else of_residual.reshape(x.shape) if relu else gradient
    return of_x.reshape(x.shape), of_scale, of_shift, residual


batch_norm.defvjp(_forward, _backward)


def _pixels(x: Array) -> Array:
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
