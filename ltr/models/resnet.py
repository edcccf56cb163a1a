"""Residual networks of He et al. (2016), for small images."""

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
from ltr.models.registry import INITIALIZERS


class Block(nn.Module):
    """Residual block: two 3x3 convolutions, added to the input.

    If the shape changes, they are added to a 1x1 convolution of the input (option B of the paper).
    """

    channels: int
    stride: int
    kernel_init: Any

    @nn.compact
    def __call__(
        self, x: Float32[jax.Array, "batch height width in"], train: bool
    ) -> Float32[jax.Array, "batch rows columns {self.channels}"]:
        conv = partial(Conv, self.channels, use_bias=False, kernel_init=self.kernel_init)
        norm = partial(BatchNorm, use_running_average=not train)
        y = norm(relu=True, name="norm_1")(conv(stride=self.stride, name="conv_1")(x))
        y = conv(name="conv_2")(y)
        if x.shape != y.shape:
            x = norm(name="norm_shortcut")(conv(size=1, stride=self.stride, name="shortcut")(x))
        return norm(relu=True, name="norm_2")(y, residual=x)


class ResNet(nn.Module):
    """A 3x3 convolution, groups of residual blocks, global average pooling, and the output.

    The first convolution has as many channels as the first group. Each further group first halves the image.
    """

    groups: tuple[int, ...]
    blocks: int
    classes: int
    kernel_init: Any

    @nn.compact
    def __call__(self, images: Float32[Array, "batch height width channels"], train: bool) -> Logits:
        stem = Conv(self.groups[0], use_bias=False, kernel_init=self.kernel_init, name="conv_1")
        x = BatchNorm(use_running_average=not train, relu=True, name="norm_1")(stem(images))
        for group, channels in enumerate(self.groups):
            for block in range(self.blocks):
                stride = 2 if group and not block else 1
                name = f"block_{group * self.blocks + block + 1}"
                x = Block(channels, stride, self.kernel_init, name=name)(x, train)
        return Dense(self.classes, kernel_init=self.kernel_init, name="output")(global_average_pool(x))


def resnet20(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """ResNet-20 for CIFAR (the "Resnet-18" of Frankle & Carbin, 2019): 270,896 weights on CIFAR-10."""
    return _resnet(config, (16, 32, 64), 3, image_shape, classes)


def resnet18(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """ImageNet's ResNet-18 with a 3x3 stem of stride 1: 11,164,352 weights on CIFAR-10."""
    return _resnet(config, (64, 128, 256, 512), 2, image_shape, classes)


def _resnet(
    config: Config, groups: tuple[int, ...], blocks: int, image_shape: tuple[int, int, int], classes: int
) -> Model:
    """Return a network of groups with these channels, scaled by `config.width`, of `blocks` blocks each."""
    channels = tuple(scaled(width, config.width) for width in groups)
    net = ResNet(channels, blocks, classes, INITIALIZERS[config.init].load())
    return from_linen(net, image_shape, layer_type=by_module_or_shortcut)
