"""Score at initialisation: the magnitude of the gradient."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from ltr.core import masks
from ltr.pruning.at_init import ScoringInput


def gradient(network: ScoringInput, mask: Any) -> Any:
    """Return |g|, float32 like the mask, with the gradient g of the mean loss of a batch."""

    def loss(params: Any) -> jax.Array:
        logits, _ = network.model.train(params, jnp.asarray(network.images), network.key)
        return optax.softmax_cross_entropy_with_integer_labels(logits, network.labels).mean()

    gradients = jax.grad(loss)(network.params)
    return masks.tree_map(lambda kept, g: None if kept is None else abs(g), mask, gradients)
