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
from ltr.kernels import Array, ByteImages, Factors

Inputs = dict[str, Float32[Array, "batch in"] | ByteImages]
"""Inputs of layers, by name."""

Slots = Mapping[str, Float32[jax.Array, "batch out"]]
"""Zeros that are added to the results of layers, by name."""


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

    def with_inputs(variables: Any, slots: Slots) -> tuple[jax.Array, Any]:
        inputs: Inputs = {}
        with _fused(slots, inputs):
            value, more = loss(variables)
        return value, (more, inputs)

    (value, (more, inputs)), (gradients, of_slots) = jax.value_and_grad(with_inputs, (0, 1), has_aux=True)(
        variables, slots
    )
    return (value, more), gradients, {name: Factors(inputs[name], of_slots[name]) for name in slots}


def slots_of(layers: Collection[str], params: Params, batch_size: int) -> Slots:
    """Return the slots of layers by name: zeros in the shapes of their results."""
    leaves = flatten_dict(params)
    return {name: jnp.zeros((batch_size, leaves[kernel_path(name)].shape[-1])) for name in layers}


def kernel_path(layer: str) -> tuple[str, ...]:
    """Return the path of a layer's kernel among the parameters."""
    return tuple(f"{layer}/kernel".strip("/").split("/"))


def _fused(slots: Slots, inputs: Inputs) -> AbstractContextManager[None]:
    """Return a context in which the layers that `slots` names leave their inputs in `inputs`.

    Each adds its slot, which is zero, to its result, so the gradient of the slot is that of the result. Its
    kernel has no gradient.
    """

    def intercept(
        call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        layer, name = context.module, "/".join(context.module.path)
        if name not in slots or context.method_name != "__call__":
            return call(*args, **kwargs)
        (x,) = args or kwargs.values()
        inputs[name] = x
        kernel: jax.Array = lax.stop_gradient(layer.get_variable("params", "kernel"))
        y = kernels.product(x, kernel) if isinstance(x, ByteImages) else x @ kernel
        return y + layer.get_variable("params", "bias", jnp.zeros(kernel.shape[-1])) + slots[name]

    return nn.intercept_methods(intercept)
