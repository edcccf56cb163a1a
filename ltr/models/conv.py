"""The small convolutional networks of Frankle & Carbin (2019): scaled-down VGGs."""

import flax.linen as nn
import jax

from ltr.errors import ConfigError
from ltr.models.layers import Conv, Dense, max_pool
from ltr.models.model import Model, from_linen


class ConvNet(nn.Module):
    """Blocks of two 3x3 convolutions and a 2x2 max pooling, then dense layers of 256, 256 and `classes`."""

    blocks: tuple[int, ...]
    classes: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        x = images
        for block, channels in enumerate(self.blocks):
            for layer in (1, 2):
                x = nn.relu(Conv(channels, name=f"conv_{2 * block + layer}")(x))
            x = max_pool(x)
        x = x.reshape(x.shape[0], -1)
        for number in (1, 2):
            x = nn.relu(Dense(256, name=f"dense_{number}")(x))
        return Dense(self.classes, name="output")(x)


def conv2(image_shape: tuple[int, int, int], classes: int) -> Model:
    """Conv-2: 4,300,992 weights on CIFAR-10; ConfigError for images too small to pool."""
    if min(image_shape[:2]) < 2:
        raise ConfigError(f"model.name=conv2: needs images of at least 2x2, these are {image_shape}")
    return from_linen(ConvNet((64,), classes), image_shape)
