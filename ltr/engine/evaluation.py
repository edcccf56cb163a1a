"""Evaluation of a network on examples held out from training."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Float32, Int32, PyTree, UInt8

from ltr import kernels
from ltr.core.types import Params
from ltr.engine.examples import Examples, prepare_inputs
from ltr.kernels import Array, Images
from ltr.models.model import Model
from ltr.models.packed import NO_PATTERNS, Patterns

LossAndAccuracy = Float32[jax.Array, "2"]
"""Means over examples: loss in nats, accuracy as a fraction."""


def prepared(data: Examples, count: Int32[Array, ""]) -> Examples:
    """Convert the first `count` batches of held-out images, for several evaluations of packed lanes."""
    held_out = data.held_out

    def pixels(images: UInt8[Array, "batch height width channels"]) -> Images:
        return prepare_inputs(images, data, as_pixels=True)

    def converted(number: Int32[Array, ""], into: Images) -> Images:
        new = pixels(_of(held_out.images, number))
        return jax.tree.map(
            lambda leaf, row: lax.dynamic_update_index_in_dim(leaf, row, number, 0), into, new
        )

    blank = jax.eval_shape(lambda: lax.map(pixels, held_out.images))
    images = lax.fori_loop(0, count, converted, jax.tree.map(jnp.zeros_like, blank))
    return data._replace(held_out=held_out._replace(images=images))


def evaluate(
    model: Model,
    params: Params,
    data: Examples,
    batches: Int32[Array, "2"],
    patterns: Patterns = NO_PATTERNS,
) -> LossAndAccuracy:
    """Return mean loss and accuracy over all examples of a split.

    Args:
        model: the network.
        params: its parameters.
        data: data set; its held-out examples are used.
        batches: first and last batch of the split, `data.validation` or `data.test`.
        patterns: patterns of the packed kernels in `params`.
    """

    def batch(number: Int32[Array, ""], totals: Float32[jax.Array, "3"]) -> Float32[jax.Array, "3"]:
        images, labels = _of(data.held_out, number)
        real = labels >= 0
        if not isinstance(images, kernels.Pixels | kernels.ByteImages):
            images = prepare_inputs(images, data, model.input_layer in patterns)
        logits = model.apply(params, images, patterns)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
        hits = logits.argmax(-1) == labels
        sums = [jnp.where(real, values, 0).sum() for values in (losses, hits, real)]
        return totals + jnp.stack(sums).astype(jnp.float32)

    first, last = batches
    loss, hits, count = lax.fori_loop(first, last, batch, jnp.zeros(3))
    return jnp.stack([loss, hits]) / count


def _of(batches: PyTree, number: Int32[Array, ""]) -> Any:
    """Return the batch of this number."""
    return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, number, keepdims=False), batches)
