"""Small vision transformers (Dosovitskiy et al., 2021), built from Flax's own layers."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float32

from ltr.config.schema import Model as Config
from ltr.core.types import Logits
from ltr.errors import ConfigError
from ltr.kernels import Array
from ltr.models.layers import scaled
from ltr.models.model import Model, from_linen
from ltr.models.registry import INITIALIZERS, ViTOptions

HEAD_SIZE = 64
"""Features of an attention head, at `model.width=1`."""

MLP_RATIO = 4
"""Hidden units of a block per feature."""


class Block(nn.Module):
    """Self-attention and a perceptron of one hidden layer, each on the normalised input and added to it."""

    heads: int
    dropout: float
    kernel_init: Any

    @nn.compact
    def __call__(
        self, x: Float32[jax.Array, "batch tokens features"], train: bool
    ) -> Float32[jax.Array, "batch tokens features"]:
        width = x.shape[-1]
        drop = partial(nn.Dropout, self.dropout, deterministic=not train)
        dense = partial(nn.Dense, kernel_init=self.kernel_init)
        attention = nn.MultiHeadDotProductAttention(
            self.heads, kernel_init=self.kernel_init, name="attention"
        )
        x = x + drop()(attention(nn.LayerNorm(name="norm_1")(x)))
        hidden = nn.gelu(dense(MLP_RATIO * width, name="dense_1")(nn.LayerNorm(name="norm_2")(x)))
        return x + drop()(dense(width, name="dense_2")(drop()(hidden)))


class ViT(nn.Module):
    """Square patches as tokens, learned positions, blocks, normalisation, and the output.

    The output reads a class token (`pool="token"`), or the mean of all tokens without a class token
    (`pool="mean"`).
    """

    patch: int
    width: int
    depth: int
    heads: int
    pool: str
    classes: int
    dropout: float
    kernel_init: Any

    @nn.compact
    def __call__(self, images: Float32[Array, "batch height width channels"], train: bool) -> Logits:
        x = nn.Dense(self.width, kernel_init=self.kernel_init, name="patches")(patches(images, self.patch))
        if self.pool == "token":
            token = self.param("class_token", nn.initializers.zeros_init(), (1, 1, self.width))
            x = jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, self.width)), x], 1)
        x = x + self.param("positions", nn.initializers.normal(0.02), (1, *x.shape[1:]))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        for number in range(1, self.depth + 1):
            x = Block(self.heads, self.dropout, self.kernel_init, name=f"block_{number}")(x, train)
        x = nn.LayerNorm(name="norm")(x)
        x = x[:, 0] if self.pool == "token" else x.mean(1)
        return nn.Dense(self.classes, kernel_init=self.kernel_init, name="output")(x)


def patches(
    images: Float32[Array, "batch height width channels"], size: int
) -> Float32[Array, "batch patches {size}*{size}*channels"]:
    """Cut images into patches of `size` by `size` pixels.

    A dense layer on these equals the paper's convolution of stride `size`.
    """
    batch, height, width, channels = images.shape
    rows, columns = height // size, width // size
    squares = images.reshape(batch, rows, size, columns, size, channels).swapaxes(2, 3)
    return squares.reshape(batch, rows * columns, size * size * channels)


def vit_tiny(config: Config, image_shape: tuple[int, int, int], classes: int, options: ViTOptions) -> Model:
    """ViT-Ti/4 (width, depth and heads from Touvron et al., 2021): 5,319,552 weights on CIFAR-10.

    ConfigError if the height or width of images is not a multiple of the patch size.
    """
    if any(size % options.patch for size in image_shape[:2]):
        raise ConfigError(
            f"model.options.patch={options.patch}: must divide the height and width of images {image_shape}"
        )
    net = ViT(
        options.patch,
        options.heads * scaled(HEAD_SIZE, config.width),
        options.depth,
        options.heads,
        options.pool,
        classes,
        config.dropout,
        INITIALIZERS[config.init].load(),
    )
    return from_linen(net, image_shape)
