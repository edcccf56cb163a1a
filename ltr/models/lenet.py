"""Fully connected networks of LeCun et al. (1998)."""

import flax.linen as nn
import jax

from ltr.models.layers import Dense
from ltr.models.model import Model, from_linen


class LeNet(nn.Module):
    """Hidden ReLU layers of the given widths, and an output layer."""

    hidden: tuple[int, ...]
    classes: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        x = images.reshape(images.shape[0], -1)
        for number, width in enumerate(self.hidden, 1):
            x = nn.relu(Dense(width, name=f"dense_{number}")(x))
        return Dense(self.classes, name="output")(x)


def lenet_300_100(image_shape: tuple[int, int, int], classes: int) -> Model:
    """LeNet-300-100 of Frankle & Carbin (2019): 266,200 weights on MNIST."""
    return from_linen(LeNet((300, 100), classes), image_shape)
