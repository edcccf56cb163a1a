"""Deep convolutional networks of Simonyan & Zisserman (2015), for small images.

As usual for CIFAR-10 they have batch normalisation, and one dense layer in place of three at the end.
"""

from typing import Any

import flax.linen as nn
from jaxtyping import Float32

from ltr.config.schema import Model as Config
from ltr.core.types import Logits
from ltr.kernels import Array
from ltr.models.layers import BatchNorm, Conv, Dense, global_average_pool, max_pool, scaled
from ltr.models.model import Model, from_linen
from ltr.models.registry import INITIALIZERS


class VGG(nn.Module):
    """Blocks of 3x3 convolutions with 2x2 max pooling between, global average pooling, and the output."""

    blocks: tuple[tuple[int, ...], ...]
    classes: int
    kernel_init: Any

    @nn.compact
    def __call__(self, images: Float32[Array, "batch height width channels"], train: bool) -> Logits:
        x, number = images, 0
        for block, convolutions in enumerate(self.blocks):
            x = max_pool(x) if block else x
            for channels in convolutions:
                number += 1
                conv = Conv(channels, use_bias=False, kernel_init=self.kernel_init, name=f"conv_{number}")
                norm = BatchNorm(use_running_average=not train, relu=True, name=f"norm_{number}")
                x = norm(conv(x))
        return Dense(self.classes, kernel_init=self.kernel_init, name="output")(global_average_pool(x))


def vgg16(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """VGG-16: 14,715,584 weights on CIFAR-10."""
    return _vgg(config, (2, 2, 3, 3, 3), image_shape, classes)


def vgg19(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """VGG-19: 20,024,000 weights on CIFAR-10."""
    return _vgg(config, (2, 2, 4, 4, 4), image_shape, classes)


def _vgg(config: Config, depths: tuple[int, ...], image_shape: tuple[int, int, int], classes: int) -> Model:
    """Return a network with these numbers of convolutions in its blocks, scaled by `config.width`."""
    channels = (scaled(width, config.width) for width in (64, 128, 256, 512, 512))
    blocks = tuple((width,) * depth for width, depth in zip(channels, depths, strict=True))
    return from_linen(VGG(blocks, classes, INITIALIZERS[config.init].load()), image_shape)
