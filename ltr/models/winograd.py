"""Winograd convolutions: lets the dense 3x3 convolutions of a network compute by `ltr.kernels.conv3x3`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from ltr import kernels
from ltr.models.layers import Conv

Tiles = Mapping[str, int]
"""Size of the tiles of each convolution that computes by Winograd's filtering, by the name of its layer."""

NO_TILES: Tiles = MappingProxyType({})
"""XLA computes every convolution."""


def has_winograd(layer: nn.Module) -> bool:
    """Return whether a layer can compute by Winograd's filtering: a `Conv` of size 3 and stride 1."""
    return type(layer) is Conv and (layer.size, layer.stride) == (3, 1)


def winograd(tiles: Tiles) -> AbstractContextManager[None]:
    """Return a context in which the layers that `tiles` names compute by Winograd's filtering unless packed."""

    def intercept(
        call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        layer: Any = context.module
        tile = tiles.get("/".join(layer.path))
        if tile is None or context.method_name != "__call__":
            return call(*args, **kwargs)
        kernel = layer.get_variable("params", "kernel")
        if kernel.ndim != 4:
            return call(*args, **kwargs)
        (x,) = args or kwargs.values()
        bias = layer.get_variable("params", "bias", jnp.zeros(kernel.shape[-1]))
        return kernels.conv3x3(x, kernel, bias, layer.relu, layer.pool, tile)

    return nn.intercept_methods(intercept)
