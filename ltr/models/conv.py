"""The small convolutional networks of Frankle & Carbin (2019): scaled-down VGGs."""

from functools import partial
from typing import Any

import flax.linen as nn
from jaxtyping import Float32

from ltr.config.schema import Model as Config
from ltr.core.types import Logits
from ltr.kernels import Array
from ltr.models.layers import Conv, Dense, flatten, scaled
from ltr.models.model import Model, from_linen
from ltr.models.registry import INITIALIZERS


class ConvNet(nn.Module):
    """Blocks of two 3x3 convolutions and a 2x2 max pooling, then dense layers, then the output.

    Dropout applies to the inputs of each dense layer and of the output.
    """

    blocks: tuple[int, ...]
    dense: tuple[int, ...]
    classes: int
    dropout: float
    kernel_init: Any

    @nn.compact
    def __call__(self, images: Float32[Array, "batch height width channels"], train: bool) -> Logits:
        x = images
        drop = partial(nn.Dropout, self.dropout, deterministic=not train)
        for block, channels in enumerate(self.blocks):
            for layer in (1, 2):
                conv = Conv(
                    channels,
                    relu=True,
                    pool=layer == 2,
                    kernel_init=self.kernel_init,
                    name=f"conv_{2 * block + layer}",
                )
                x = conv(x)
        x = flatten(x)
        for number, width in enumerate(self.dense, 1):
            x = nn.relu(Dense(width, kernel_init=self.kernel_init, name=f"dense_{number}")(drop()(x)))
        return Dense(self.classes, kernel_init=self.kernel_init, name="output")(drop()(x))


def conv2(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """Conv-2: 4,300,992 weights on CIFAR-10."""
    return _conv_net(config, (64,), image_shape, classes)


def conv4(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """Conv-4: 2,425,024 weights on CIFAR-10."""
    return _conv_net(config, (64, 128), image_shape, classes)


def conv6(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """Conv-6: 2,261,184 weights on CIFAR-10 (the paper prints 1.7 million)."""
    return _conv_net(config, (64, 128, 256), image_shape, classes)


def _conv_net(
    config: Config, blocks: tuple[int, ...], image_shape: tuple[int, int, int], classes: int
) -> Model:
    """Return a network of convolutional blocks with these channels, all widths scaled by `config.width`."""
    net = ConvNet(
        tuple(scaled(channels, config.width) for channels in blocks),
        tuple(scaled(width, config.width) for width in (256, 256)),
        classes,
        config.dropout,
        INITIALIZERS[config.init].load(),
    )
    return from_linen(net, image_shape)
