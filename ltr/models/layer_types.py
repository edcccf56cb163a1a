"""Layer types: which parameters are pruned, and which of `pruning.rates` each follows.

The default prunes the kernels of layers: of Flax's own dense layers, convolutions and attention, and of all
others that name them so. What else there is, is trained and left whole: biases, normalisation, embeddings,
positions, class tokens. A network with another rule hands a function of its own to `from_linen`.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import numpy as np

from ltr.models.layers import Conv

LAYER_TYPES = ("conv", "dense", "output", "shortcut")
"""The layer types, each pruned at its own rate."""

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
    """A parameter, as far as its layer type depends on it.

    Attributes:
        path: names of the modules that it is in, and its own, as in ("block_1", "mlp", "Dense_0", "kernel").
        shape: its shape.
        layer: the module that owns it, if the network calls that and it holds a kernel.
        is_last: whether it is the kernel that the network uses last.
    """

    path: tuple[str, ...]
    shape: tuple[int, ...]
    layer: nn.Module | None
    is_last: bool


LayerType = Callable[[Parameter], str | None]
"""Parameter -> its layer type, one of `LAYER_TYPES`; None of a parameter that is never pruned."""


def by_module(of: Parameter) -> str | None:
    """Return `output` of the last kernel, `conv` of other convolutions, `dense` of what else has a kernel.

    The kernel of a layer has two or more dimensions. Attention has four: three [features, heads, head size],
    one [heads, head size, features].
    """
    if of.path[-1] != "kernel" or len(of.shape) < 2:
        return None
    if of.is_last:
        return "output"
    return "conv" if isinstance(of.layer, CONVOLUTIONS) else "dense"


def by_module_or_shortcut(of: Parameter) -> str | None:
    """Return `shortcut` of the kernels of layers of that name, and for the others as `by_module`."""
    return "shortcut" if of.path[-2:] == ("shortcut", "kernel") else by_module(of)
