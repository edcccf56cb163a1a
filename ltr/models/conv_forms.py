"""Forms of convolution: the ways in which a device computes the convolutions of the lanes that it maps over.

All compute the same values and gradients, up to the order of summation.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from types import MappingProxyType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap
from jaxtyping import Float32

from ltr.models.convolution import conv
from ltr.models.layers import Conv


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def lane_by_lane(
    x: Float32[jax.Array, "batch height width in"],
    kernel: Float32[jax.Array, "odd odd in out"],
    stride: int,
) -> Float32[jax.Array, "batch rows columns out"]:
    """Convolve as `conv`; where lanes are mapped, one lane after the other."""
    return sequential_vmap(partial(conv, stride=stride))(x, kernel)


def _forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return lane_by_lane(x, kernel, stride), (x, kernel)


def _backward(
    stride: int, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    def gradients(x: jax.Array, kernel: jax.Array, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.vjp(partial(conv, stride=stride), x, kernel)[1](gradient)

    return sequential_vmap(gradients)(*saved, gradient)


lane_by_lane.defvjp(_forward, _backward)


@partial(jax.checkpoint, static_argnums=(2,))
def by_patches(
    x: Float32[jax.Array, "batch height width in"],
    kernel: Float32[jax.Array, "odd odd in out"],
    stride: int,
) -> Float32[jax.Array, "batch rows columns out"]:
    """Convolve as `conv`, by a product of matrices: patches (im2col) and kernel; of lanes, a batched one.

    Patches take as many times the memory of x as the kernel has taps, so they are computed again for the
    gradients.
    """
    height, width = x.shape[1:3]
    rows, columns, *_, features = kernel.shape
    padded = jnp.pad(x, [(0, 0), (rows // 2,) * 2, (columns // 2,) * 2, (0, 0)])
    taps = [
        padded[:, row : row + height : stride, column : column + width : stride]
        for row in range(rows)
        for column in range(columns)
    ]
    return jnp.concatenate(taps, -1) @ kernel.reshape(-1, features)


GROUPED = "grouped"
"""Form of XLA: convolutions of mapped lanes become a grouped convolution."""

FORMS: Mapping[str, Callable[..., jax.Array]] = MappingProxyType(
    {GROUPED: conv, "lane_by_lane": lane_by_lane, "patches": by_patches}
)
"""Function of each form: x, kernel, stride -> result."""


def conv_form(form: str) -> AbstractContextManager[None]:
    """Return a context in which the layers `Conv` convolve in a form, unless a kernel of ltr does."""
    convolve = FORMS[form]

    def intercept(
        call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        if type(context.module) is not Conv or context.method_name != "convolve":
            return call(*args, **kwargs)
        return convolve(*args, context.module.stride)

    return nn.intercept_methods(intercept)
