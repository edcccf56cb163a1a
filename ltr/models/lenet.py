"""Fully connected networks of LeCun et al. (1998)."""

from typing import Any

import flax.linen as nn

from ltr.config.schema import Model as Config
from ltr.core.types import Logits
from ltr.kernels import Images
from ltr.models.layers import GLOROT, Dense, flatten, scaled
from ltr.models.model import Model, from_linen
from ltr.models.registry import INITIALIZERS


class LeNet(nn.Module):
    """Hidden ReLU layers of the given widths, each followed by dropout, and an output layer."""

    hidden: tuple[int, ...]
    classes: int
    dropout: float = 0.0
    kernel_init: Any = GLOROT

    @nn.compact
    def __call__(self, images: Images, train: bool) -> Logits:
        x = flatten(images)
        for number, width in enumerate(self.hidden, 1):
            x = nn.relu(Dense(width, kernel_init=self.kernel_init, name=f"dense_{number}")(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return Dense(self.classes, kernel_init=self.kernel_init, name="output")(x)


def lenet_300_100(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """LeNet-300-100 of Frankle & Carbin (2019): 266,200 weights on MNIST."""
    hidden = tuple(scaled(width, config.width) for width in (300, 100))
    net = LeNet(hidden, classes, config.dropout, INITIALIZERS[config.init].load())
    return from_linen(net, image_shape, input_layer="dense_1")
