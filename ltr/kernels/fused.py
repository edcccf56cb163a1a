"""Dense layers that skip inputs of zero, and whose kernel gradient and optimizer step are one pass."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from ltr.kernels.library import instruction_set
from ltr.kernels.pattern import Array

Matrix = Float32[Array, "in out"]
"""Kernel of a dense layer, or an array of an optimizer's state for it."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ByteImages:
    """A batch of images of one channel, which `product` normalises while it reads them.

    Attributes:
        images: images of the data set, bytes.
        chosen: indices of the images of the batch.
        mean, std: for normalisation.
        shape: shape of the batch: (batch, height, width, 1), or flat: (batch, pixels).
    """

    images: UInt8[Array, "count height width 1"]
    chosen: Int32[Array, "batch"]
    mean: Float32[Array, "1"]
    std: Float32[Array, "1"]
    shape: tuple[int, ...] = field(metadata={"static": True})

    def reshape(self, batch: int, pixels: Literal[-1]) -> "ByteImages":
        """Return the images as rows of pixels, as `reshape` of an array does, without a copy."""
        return replace(self, shape=(batch, math.prod(self.shape[1:])))


def byte_images(
    images: UInt8[Array, "count height width 1"],
    chosen: Int32[Array, "batch"],
    mean: Float32[Array, "1"],
    std: Float32[Array, "1"],
) -> ByteImages:
    """Return the chosen images as `ByteImages`."""
    return ByteImages(images, chosen, mean, std, (len(chosen), *images.shape[1:]))


Rows = Float32[Array, "batch in"] | ByteImages
"""Inputs of a dense layer."""


def product(x: Rows, kernel: Matrix) -> Float32[jax.Array, "batch out"]:
    """Multiply inputs by a kernel; inputs and pixels of zero cost nothing. It has no gradient.

    Raises:
        jax.errors.JaxRuntimeError: at run time, for shapes that do not fit or an index out of bounds.
    """
    instruction_set()  # registers the library
    y = jax.ShapeDtypeStruct((x.shape[0], kernel.shape[1]), jnp.float32)
    suffix, inputs = _operands(x)
    return jax.ffi.ffi_call(f"ltr_fused_product_{suffix}", y, vmap_method="sequential")(*inputs, kernel)


class Factors(NamedTuple):
    """Gradient of a kernel as factors: it is x^T gradient.

    Attributes:
        x: inputs of the layer.
        gradient: gradient of its result.
    """

    x: Rows
    gradient: Float32[Array, "batch out"]


def gradient(factors: Factors, outputs: int) -> Float32[jax.Array, "in out"]:
    """Return the gradient of a kernel; inputs of zero cost nothing.

    Raises:
        jax.errors.JaxRuntimeError: at run time, for shapes that do not fit or an index out of bounds.
    """
    shape = factors.x.shape[1], outputs
    step = momentum_step(factors, np.ones(shape, bool), jnp.zeros(shape), None, -jnp.ones(1), 0.0, 0.0)
    return step[0]


def adam_step(
    factors: Factors,
    kept: Bool[Array, "in out"],
    kernel: Matrix,
    mean: Matrix,
    variance: Matrix,
    rates: Float32[Array, "3"],
    b1: float,
    b2: float,
    decay: float,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return kernel, mean and variance after a step of Adam with decoupled weight decay.

    Inputs of zero cost nothing. Within `jax.jit` the results replace their operands in memory.

    Args:
        factors: gradient of the kernel.
        kept: mask; elsewhere the gradient is zero.
        kernel: kernel.
        mean: moving mean of the gradient.
        variance: moving mean of its square.
        rates: learning rate, factor of the mean for bias correction, epsilon.
        b1: decay rate of the mean.
        b2: decay rate of the variance.
        decay: added to the direction, times the kernel.

    Raises:
        jax.errors.JaxRuntimeError: at run time, for shapes that do not fit or an index out of bounds.
    """
    attributes = {"b1": b1, "b2": b2, "decay": decay}
    return _step("ltr_fused_adam", factors, kept, rates, (kernel, mean, variance), attributes)


def momentum_step(
    factors: Factors,
    kept: Bool[Array, "in out"],
    kernel: Matrix,
    trace: Matrix | None,
    rate: Float32[Array, "1"],
    momentum: float,
    decay: float,
) -> tuple[jax.Array, jax.Array]:
    """Return kernel and trace after a step of gradient descent with momentum.

    Inputs of zero cost nothing. Within `jax.jit` the results replace their operands in memory.

    Args:
        factors: gradient of the kernel.
        kept: mask; elsewhere the gradient is zero.
        kernel: kernel.
        trace: velocity; None without momentum.
        rate: learning rate.
        momentum: decay rate of the velocity.
        decay: added to the gradient, times the kernel.

    Raises:
        jax.errors.JaxRuntimeError: at run time, for shapes that do not fit or an index out of bounds.
    """
    attributes = {"momentum": momentum, "decay": decay}
    velocity = jnp.zeros((0, 0)) if trace is None else trace
    return _step("ltr_fused_momentum", factors, kept, rate, (kernel, velocity), attributes)


def _step(
    name: str, factors: Factors, kept: Array, rates: Array, state: tuple[Any, ...], attributes: Any
) -> Any:
    """Call a step; `state` are the arrays that it replaces."""
    instruction_set()  # registers the library
    suffix, inputs = _operands(factors.x)
    operands = (*inputs, factors.gradient, kept, rates)
    call = jax.ffi.ffi_call(
        f"{name}_{suffix}",
        tuple(jax.ShapeDtypeStruct(leaf.shape, jnp.float32) for leaf in state),
        input_output_aliases={len(operands) + place: place for place in range(len(state))},
        vmap_method="sequential",
    )
    return call(*operands, *state, **{key: np.float64(value) for key, value in attributes.items()})


def _operands(x: Rows) -> tuple[str, tuple[Array, ...]]:
    """Return the end of the names of functions for such inputs, and the operands that they are."""
    if isinstance(x, ByteImages):
        return "of_bytes", (x.images, x.chosen, x.mean, x.std)
    return "of_floats", (x,)
