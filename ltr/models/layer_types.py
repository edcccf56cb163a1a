"""Layer types: which parameters are pruned, and by which of `pruning.rates`.

By default every parameter named `kernel` with two or more dimensions is pruned: the kernels of Flax's dense
layers, convolutions and attention, and of other layers that use this name. All other parameters are trained
but never pruned: biases, normalisation, embeddings, positions, class tokens. A network with another rule
passes its own function to `from_linen`.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import numpy as np

from ltr.models.layers import Conv

LAYER_TYPES = ("conv", "dense", "output", "shortcut")
"""Layer types; each has its own prune rate."""

CONVOLUTIONS = (Conv, nn.Conv, nn.ConvLocal, nn.ConvTranspose)


def kernel_roles(layer: nn.Module, ndim: int) -> str:
    """Return the role of each of `ndim` dimensions of a layer's kernel (see `KernelShape`); empty if unknown.

    Leading dimensions that the layer does not know of are of copies, as in `nn.scan`. A layer of another
    library has a known kernel if it has two dimensions, which by Flax's convention are [in, out].
    """
    match layer:
        case Conv():
            roles = "wwio"
        case nn.Dense():
            roles = "io"
        case nn.DenseGeneral(axis=axis, features=features, batch_dims=copies):
            roles = "c" * np.size(copies) + "i" * np.size(axis) + "o" * np.size(features)
        case nn.Conv(kernel_size=window):
            roles = "w" * np.size(window) + "io"
        case nn.ConvLocal(kernel_size=window):
            roles = "c" * np.size(window) + "io"
        case nn.ConvTranspose(kernel_size=window, transpose_kernel=is_transposed):
            roles = "w" * np.size(window) + ("oi" if is_transposed else "io")
        case _:
            return "io" if ndim == 2 and not isinstance(layer, nn.Einsum) else ""
    return roles.rjust(ndim, "c")


class Parameter(NamedTuple):
    """Properties of a parameter that decide its layer type.

    Attributes:
        path: names of its modules and its own, as in ("block_1", "mlp", "Dense_0", "kernel").
        shape: its shape.
        layer: module that owns it; None if the network does not call that module, or if it has no kernel.
        is_last: whether it belongs to the layer with a kernel that the network calls last.
    """

    path: tuple[str, ...]
    shape: tuple[int, ...]
    layer: nn.Module | None
    is_last: bool


LayerType = Callable[[Parameter], str | None]
"""Parameter -> its layer type, one of `LAYER_TYPES`; None for a parameter that is never pruned."""


def by_module(parameter: Parameter) -> str | None:
    """Return `output` for the last kernel, `conv` for other convolutions, `dense` for all other kernels.

    The kernel of a layer has two or more dimensions. Attention has four: three [features, heads, head size],
    one [heads, head size, features].
    """
    if parameter.path[-1] != "kernel" or len(parameter.shape) < 2:
        return None
    if parameter.is_last:
        return "output"
    return "conv" if isinstance(parameter.layer, CONVOLUTIONS) else "dense"


def by_module_or_shortcut(parameter: Parameter) -> str | None:
    """Return `shortcut` for kernels of layers named so, and the result of `by_module` for all others."""
    return "shortcut" if parameter.path[-2:] == ("shortcut", "kernel") else by_module(parameter)
