"""Winograd convolutions: lets the dense 3x3 convolutions of a network compute by `ltr.kernels.conv3x3`."""

import math
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


FEWEST_PIXELS = 512
"""Pixels of a batch from which Winograd's filtering pays for the transforms of the kernel."""

FEWEST_PIXELS_OF_2X2 = 16
"""The same for images of 2x2, which are smaller than the kernel. There XLA's convolution is far slower."""


def tile(pixels: int, batch_size: int) -> int | None:
    """Return the size of tiles that takes the fewest multiplications; None if XLA's convolution is faster.

    Measured on shapes of the networks in `ltr.models`, Winograd's filtering takes 0.02 to 0.7 of the time of
    XLA's convolution, but more where the batch has fewer than `FEWEST_PIXELS` or an image is one pixel. Of
    images of 2x2 it takes 0.05 to 0.34 from 64 pixels on.

    Args:
        pixels: pixels of an image, which is taken to be square.
        batch_size: images per step.
    """
    fewest = FEWEST_PIXELS_OF_2X2 if pixels == 4 else FEWEST_PIXELS
    if pixels == 1 or pixels * batch_size < fewest:
        return None
    side = math.isqrt(pixels)
    return min((2, 4), key=lambda size: (-(-side // size) * (size + 2)) ** 2)


def has_winograd(layer: nn.Module) -> bool:
    """Return whether a layer can compute by Winograd's filtering: a `Conv` of size 3 and stride 1."""
    return type(layer) is Conv and (layer.size, layer.stride) == (3, 1)


def winograd(tiles: Tiles) -> AbstractContextManager[None]:
    """Return a context in which the layers that `tiles` names use Winograd's filtering unless packed."""

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
        pool = layer.relu and layer.pool
        y = kernels.conv3x3(x, kernel, bias, layer.relu, pool, tile)
        return y if layer.relu else layer.followed(y)

    return nn.intercept_methods(intercept)
