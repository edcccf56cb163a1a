"""Network with one hidden layer."""

from typing import Any

import flax.linen as nn
import jax

from ltr.config.schema import Model as Config
from ltr.models.layers import Dense, flatten, scaled
from ltr.models.model import Model, from_linen
from ltr.models.registry import INITIALIZERS


class TwoLayers(nn.Module):
    """A hidden ReLU layer and an output layer."""

    hidden: int
    classes: int
    kernel_init: Any

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        x = nn.relu(Dense(self.hidden, kernel_init=self.kernel_init, name="dense_1")(flatten(images)))
        return Dense(self.classes, kernel_init=self.kernel_init, name="output")(x)


def two_layers(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """Return the network, of 32 hidden units at `model.width=1`."""
    net = TwoLayers(scaled(32, config.width), classes, INITIALIZERS[config.init].load())
    return from_linen(net, image_shape, input_layer="dense_1")
