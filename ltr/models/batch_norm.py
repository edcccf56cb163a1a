"""Batch normalisation by the kernels: lets a network that trains normalise by `ltr.kernels.batch_norm`."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltr import kernels
from ltr.models.layers import BatchNorm

STATISTICS = "batch_stats"
"""Linen's collection of running statistics."""


def has_kernels(layer: nn.Module) -> bool:
    """Return whether the kernels can compute a layer: a `BatchNorm` over the last axis, in float32."""
    if type(layer) is not BatchNorm:
        return False
    options = ("momentum", "epsilon", "relu", "scale_init", "bias_init")
    plain = BatchNorm(**{name: getattr(layer, name) for name in options})
    return plain == layer.clone(parent=None, name=None, use_running_average=None)


def batch_norm(layers: Collection[str]) -> AbstractContextManager[None]:
    """Return a context in which the named layers normalise batches by the kernels.

    A layer after a packed one is left to XLA, because packed layers leave their results in another layout.
    The context is for one pass through a network.
    """
    is_packed = False

    def intercept(
        call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        nonlocal is_packed
        layer: Any = context.module
        if layer.has_variable("params", "kernel"):
            is_packed = layer.get_variable("params", "kernel").ndim == 1
        if is_packed or "/".join(layer.path) not in layers or context.method_name != "__call__":
            return call(*args, **kwargs)
        return _normalised(layer, partial(call, *args, **kwargs), *args, **kwargs)

    return nn.intercept_methods(intercept)


def _normalised(
    layer: BatchNorm,
    by_xla: Callable[[], jax.Array],
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
    residual: jax.Array | None = None,
) -> jax.Array:
    """Return the result of a layer, and update its running statistics.

    XLA computes layers that only read the statistics, or whose inputs are not float32.
    """
    is_single = all(array is None or array.dtype == jnp.float32 for array in (x, residual))
    reads = nn.merge_param("use_running_average", layer.use_running_average, use_running_average)
    if reads or mask is not None or not is_single:
        return by_xla()
    scale: jax.Array = layer.get_variable("params", "scale")
    shift: jax.Array = layer.get_variable("params", "bias")
    y, mean, variance = kernels.batch_norm(x, scale, shift, residual, layer.relu, layer.epsilon)
    for name, of_batch in (("mean", mean), ("var", variance)):
        before: jax.Array = layer.get_variable(STATISTICS, name)
        layer.put_variable(STATISTICS, name, layer.momentum * before + (1 - layer.momentum) * of_batch)
    return y
