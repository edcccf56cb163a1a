"""Fused dense layers: lets a network give gradients of dense kernels as factors.

The gradient of the kernel of a dense layer is the product of two matrices. An optimizer that multiplies them
itself (see `ltr.kernels.fused`) passes over the kernel once, and the gradient is never written.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict
from jax import lax
from jaxtyping import Float32

from ltr import kernels
from ltr.core.types import Params
from ltr.kernels import ByteImages, Factors, Images

Slots = Mapping[str, Factors]
"""Slots of layers, by name: zeros whose gradients are the factors. Images as bytes stand for themselves."""


def value_and_gradients(
    loss: Callable[[Any], tuple[jax.Array, Any]], variables: Any, slots: Slots
) -> tuple[tuple[jax.Array, Any], Any, dict[str, Factors]]:
    """Return the value of a loss with its further result, its gradients, and gradients as factors.

    Args:
        loss: variables -> loss of a batch, and a further result. It calls the network once.
        variables: pytree of what the loss is differentiated by, as parameters.
        slots: slots of dense layers, each called once and on rows (see `slots_of`). Their kernels have
            factors, and zeros in place of gradients.
    """
    images = {name: slot.x for name, slot in slots.items() if isinstance(slot.x, ByteImages)}
    zeros = {name: (None if name in images else slot.x, slot.gradient) for name, slot in slots.items()}

    def with_slots(variables: Any, zeros: Mapping[str, Any]) -> tuple[jax.Array, Any]:
        with _fused(zeros):
            return loss(variables)

    result, (gradients, factors) = jax.value_and_grad(with_slots, (0, 1), has_aux=True)(variables, zeros)
    return result, gradients, {name: Factors(images.get(name, x), g) for name, (x, g) in factors.items()}


def slots_of(layers: Collection[str], params: Params, images: Images, input_layer: str | None) -> Slots:
    """Return the slots of layers for a batch; `input_layer` may read it as bytes (see `Model`)."""
    leaves, batch_size = flatten_dict(params), images.shape[0]

    def slot(name: str) -> Factors:
        inputs, outputs = leaves[kernel_path(name)].shape
        if name == input_layer and isinstance(images, ByteImages):
            return Factors(images.reshape(batch_size, -1), jnp.zeros((batch_size, outputs)))
        return Factors(jnp.zeros((batch_size, inputs)), jnp.zeros((batch_size, outputs)))

    return {name: slot(name) for name in layers}


def products(layers: Collection[str]) -> AbstractContextManager[None]:
    """Return a context in which dense layers compute as they train fused; they cannot be differentiated."""

    def intercept(
        call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        layer = context.module
        if "/".join(layer.path) not in layers or context.method_name != "__call__":
            return call(*args, **kwargs)
        (x,) = args or kwargs.values()
        kernel, bias = _weights(layer)
        return kernels.product(x, kernel) + bias

    return nn.intercept_methods(intercept)


def kernel_path(layer: str) -> tuple[str, ...]:
    """Return the path of a layer's kernel among the parameters."""
    return tuple(f"{layer}/kernel".strip("/").split("/"))


def _fused(slots: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Return a context in which the layers that `slots` names give factors to their slots."""

    def intercept(
        call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        layer, slot = context.module, slots.get("/".join(context.module.path))
        if slot is None or context.method_name != "__call__":
            return call(*args, **kwargs)
        (x,) = args or kwargs.values()
        kernel, bias = _weights(layer)
        inputs, gradient = slot
        if isinstance(x, ByteImages):
            return kernels.product(x, lax.stop_gradient(kernel)) + bias + gradient
        return _product(x, kernel, inputs, gradient) + bias

    return nn.intercept_methods(intercept)


def _weights(layer: nn.Module) -> tuple[jax.Array, jax.Array]:
    """Return kernel and bias of a dense layer; zeros if it has no bias."""
    kernel: jax.Array = layer.get_variable("params", "kernel")
    return kernel, layer.get_variable("params", "bias", jnp.zeros(kernel.shape[-1]))


@jax.custom_vjp
def _product(
    x: Float32[jax.Array, "batch in"],
    kernel: Float32[jax.Array, "in out"],
    inputs: Float32[jax.Array, "batch in"],
    gradient: Float32[jax.Array, "batch out"],
) -> Float32[jax.Array, "batch out"]:
    """Multiply x by a kernel, whose gradient goes to `inputs` and `gradient` as factors."""
    return kernels.product(x, kernel)


def _product_backward(
    saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    x, kernel = saved
    return gradient @ kernel.T, jnp.zeros_like(kernel), x, gradient


_product.defvjp(lambda x, kernel, *_: (kernels.product(x, kernel), (x, kernel)), _product_backward)
