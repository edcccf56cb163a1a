"""Packed kernels: how a network computes with the weights of a kernel that are kept, and no others.

The layers themselves know nothing of it. A layer that `patterns` names holds the values of its kept weights
in place of its kernel, and its call is intercepted: the sparse products of `ltr.kernels` answer it.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltr import kernels
from ltr.kernels import Pixels, SparseKernel, SparsityPattern
from ltr.models.layers import Conv

Patterns = Mapping[str, SparsityPattern]
"""The connections of packed kernels, by the name of their layer."""

NO_PATTERNS: Patterns = {}
"""No kernel is packed."""


def has_sparse_products(layer: nn.Module) -> bool:
    """Return whether a layer can compute with a packed kernel: `nn.Dense` in float32, and `Conv`."""
    if type(layer) is nn.Dense:
        return layer.dtype is None and layer.dot_general is None and layer.dot_general_cls is None
    return type(layer) is Conv


def sparse_products(patterns: Patterns, by_unit: bool = False) -> AbstractContextManager[None]:
    """Within it, the layers that `patterns` names compute with packed kernels, in one pass of a network.

    `by_unit`: whether its inputs lie in memory unit by unit, as a packed dense layer leaves its results.
    """

    def answer(
        call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        nonlocal by_unit
        layer = context.module
        pattern = patterns.get("/".join(layer.path))
        if pattern is None or context.method_name != "__call__":
            return call(*args, **kwargs)
        (x,) = args or kwargs.values()
        result = _product(layer, x, pattern, by_unit)
        by_unit = isinstance(layer, nn.Dense)
        return result

    return nn.intercept_methods(answer)


def _product(layer: nn.Module, x: Any, pattern: SparsityPattern, is_by_unit: bool) -> jax.Array:
    """Return the result of a layer that `has_sparse_products`; x lies in memory by unit, or by example."""
    kernel = SparseKernel(layer.get_variable("params", "kernel"), pattern)
    bias = layer.get_variable("params", "bias", jnp.zeros(pattern.starts.shape[0] - 1))
    if isinstance(layer, Conv):
        return kernels.conv(x, kernel, bias, layer.stride)
    if isinstance(x, Pixels):
        return kernels.dense(x, kernel, bias)
    rows = x.reshape(-1, x.shape[-1])
    y = kernels.dense(rows if is_by_unit else kernels.by_unit(rows), kernel, bias)
    return y.reshape(*x.shape[:-1], -1)
