"""A network."""

import flax.linen as nn
import jax

from ltr.config.schema import Model as Config
from ltr.models.layers import Dense, scaled
from ltr.models.model import Model, from_linen


class TwoLayers(nn.Module):
    """A hidden ReLU layer and an output layer."""

    hidden: int
    classes: int

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        x = nn.relu(Dense(self.hidden, name="dense_1")(images))
        return Dense(self.classes, name="output")(x)


def two_layers(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """Return the network, of 32 hidden units at `model.width=1`."""
    return from_linen(TwoLayers(scaled(32, config.width), classes), image_shape)
