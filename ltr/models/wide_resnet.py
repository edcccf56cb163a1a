"""Wide residual networks (Zagoruyko & Komodakis, 2016)."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
from jaxtyping import Float32

from ltr.config.schema import Model as Config
from ltr.core.types import Logits
from ltr.kernels import Array
from ltr.models.layer_types import by_module_or_shortcut
from ltr.models.layers import BatchNorm, Conv, Dense, global_average_pool, scaled
from ltr.models.model import Model, from_linen
from ltr.models.registry import INITIALIZERS, WideResNetOptions

STEM = 16
"""Channels of the first convolution, at any width."""


class Block(nn.Module):
    """Pre-activated residual block: two 3x3 convolutions with dropout between, added to the input.

    Each convolution follows normalisation and ReLU. If the shape changes, they are added to a 1x1 convolution
    of the normalised input.
    """

    channels: int
    stride: int
    dropout: float
    kernel_init: Any

    @nn.compact
    def __call__(
        self, x: Float32[jax.Array, "batch height width in"], train: bool
    ) -> Float32[jax.Array, "batch rows columns {self.channels}"]:
        conv = partial(Conv, self.channels, use_bias=False, kernel_init=self.kernel_init)
        norm = partial(BatchNorm, use_running_average=not train, relu=True)
        y = norm(name="norm_1")(x)
        if self.stride > 1 or x.shape[-1] != self.channels:
            x = conv(size=1, stride=self.stride, name="shortcut")(y)
        y = norm(name="norm_2")(conv(stride=self.stride, name="conv_1")(y))
        y = nn.Dropout(self.dropout, deterministic=not train)(y)
        return x + conv(name="conv_2")(y)


class WideResNet(nn.Module):
    """A 3x3 convolution, groups of pre-activated blocks, global average pooling, and the output."""

    groups: tuple[int, ...]
    blocks: int
    classes: int
    dropout: float
    kernel_init: Any

    @nn.compact
    def __call__(self, images: Float32[Array, "batch height width channels"], train: bool) -> Logits:
        x = Conv(STEM, use_bias=False, kernel_init=self.kernel_init, name="conv_1")(images)
        for group, channels in enumerate(self.groups):
            for block in range(self.blocks):
                stride = 2 if group and not block else 1
                name = f"block_{group * self.blocks + block + 1}"
                x = Block(channels, stride, self.dropout, self.kernel_init, name=name)(x, train)
        x = BatchNorm(use_running_average=not train, relu=True, name="norm_1")(x)
        return Dense(self.classes, kernel_init=self.kernel_init, name="output")(global_average_pool(x))


def wide_resnet(
    config: Config, image_shape: tuple[int, int, int], classes: int, options: WideResNetOptions
) -> Model:
    """WRN-28-10: 36,461,232 weights on CIFAR-10; `width=0.1` is WRN-28-1, `width=0.2` WRN-28-2."""
    groups = (160, 320, 640)
    channels = tuple(scaled(width, config.width) for width in groups)
    net = WideResNet(channels, options.blocks, classes, config.dropout, INITIALIZERS[config.init].load())
    return from_linen(net, image_shape, layer_type=by_module_or_shortcut)
