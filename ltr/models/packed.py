"""Packed kernels: lets a network compute with only the kept weights of a kernel.

A layer that `patterns` names holds the vector of its kept weights in place of its kernel. Its call is
intercepted, and the sparse products of `ltr.kernels` compute the result. The layers' own code is unaware of
it.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float32

from ltr import kernels
from ltr.kernels import Array, Pixels, SparseKernel, SparsityPattern
from ltr.models.layers import Conv

Patterns = Mapping[str, SparsityPattern]
"""Sparsity pattern of each packed kernel, by the name of its layer."""

NO_PATTERNS: Patterns = {}
"""No kernel is packed."""


def has_sparse_products(layer: nn.Module) -> bool:
    """Return whether a layer can use a packed kernel: `nn.Dense` in float32, and `Conv`."""
    if type(layer) is nn.Dense:
        return layer.dtype is None and layer.dot_general is None and layer.dot_general_cls is None
    return type(layer) is Conv


def sparse_products(patterns: Patterns, by_unit: bool = False) -> AbstractContextManager[None]:
    """Return a context in which the layers that `patterns` names compute with packed kernels.

    It is for one pass through a network.

    Args:
        patterns: sparsity patterns by the names of layers.
        by_unit: whether the inputs lie in memory unit by unit, as a packed dense layer leaves its results.
    """

    def intercept(
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

    return nn.intercept_methods(intercept)


def _product(
    layer: nn.Module, x: Float32[Array, "batch ... in"] | Pixels, pattern: SparsityPattern, is_by_unit: bool
) -> Float32[jax.Array, "batch ... out"]:
    """Return the result of a packed layer; `is_by_unit`: whether x lies in memory unit by unit."""
    kernel = SparseKernel(layer.get_variable("params", "kernel"), pattern)
    bias = layer.get_variable("params", "bias", jnp.zeros(pattern.starts.shape[0] - 1))
    if isinstance(layer, Conv):
        pool = layer.relu and layer.pool
        y = kernels.conv(x, kernel, bias, layer.stride, layer.relu, pool)
        return y if layer.relu else layer.followed(y)
    if isinstance(x, Pixels):
        return kernels.dense(x, kernel, bias)
    rows = x.reshape(-1, x.shape[-1])
    y = kernels.dense(rows if is_by_unit else kernels.by_unit(rows), kernel, bias)
    return y.reshape(*x.shape[:-1], -1)
