"""Evaluation of a network on examples held out from training."""

from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Float32, Int32, PyTree

from ltr.core.shares import WHOLE, Shares
from ltr.core.types import Params
from ltr.engine.examples import Examples, Form, form, prepare_inputs
from ltr.kernels import Array, Images
from ltr.models.fused import products
from ltr.models.model import Model
from ltr.models.packed import NO_PATTERNS, Patterns

LossAndAccuracy = Float32[jax.Array, "2"]
"""Means over examples: loss in nats, accuracy as a fraction."""


def evaluate(
    model: Model,
    params: Params,
    data: Examples,
    batches: Int32[Array, "2"],
    patterns: Patterns = NO_PATTERNS,
    fused: Collection[str] = (),
    shares: Shares = WHOLE,
) -> LossAndAccuracy:
    """Return mean loss and accuracy over all examples of a split.

    Args:
        model: the network.
        params: its parameters.
        data: data set; its held-out examples are used.
        batches: first and last batch of the split, `data.validation` or `data.test`.
        patterns: patterns of the packed kernels in `params`.
        fused: names of the layers that train fused and compute alike here.
        shares: devices that share the batches among them, in turn.
    """
    images_as = form(model, fused, patterns)

    def batch(number: Int32[Array, ""], totals: Float32[jax.Array, "3"]) -> Float32[jax.Array, "3"]:
        labels = _of(data.held_out.labels, number)
        real = labels >= 0
        with products(set(fused) - set(patterns)):
            logits = model.apply(params, _inputs(data, images_as, number), patterns)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
        hits = logits.argmax(-1) == labels
        sums = [jnp.where(real, values, 0).sum() for values in (losses, hits, real)]
        return totals + jnp.stack(sums).astype(jnp.float32)

    def turn(number: Int32[Array, ""], totals: Float32[jax.Array, "3"]) -> Float32[jax.Array, "3"]:
        return batch(first + number * shares.count, totals)

    first, last = batches[0] + shares.index, batches[1]
    turns = (last - first + shares.count - 1) // shares.count
    loss, hits, count = shares.sum(lax.fori_loop(0, turns, turn, jnp.zeros(3)))
    return jnp.stack([loss, hits]) / count


def _inputs(data: Examples, images_as: Form, number: Int32[Array, ""]) -> Images:
    """Return the held-out images of the batch of this number as inputs of a network."""
    if images_as is Form.FLOATS:
        return prepare_inputs(_of(data.held_out.images, number), data)
    count, size, *shape = data.held_out.images.shape
    chosen, coming = (size * batch + jnp.arange(size) for batch in (number, (number + 1) % count))
    return prepare_inputs(data.held_out.images.reshape(-1, *shape), data, images_as, chosen, coming)


def _of(batches: PyTree, number: Int32[Array, ""]) -> Any:
    """Return the batch of this number."""
    return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, number, keepdims=False), batches)
