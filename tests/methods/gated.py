"""A network of gated weights, plainly: its parts and its gradients."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltr.data.dataset import Dataset
from ltr.engine.examples import lay_out, normalise
from ltr.models.model import Model

LAYERS = ("dense_1", "dense_2", "output")


def kernels(tree: Any) -> list[np.ndarray]:
    return [np.asarray(tree[layer]["kernel"]) for layer in LAYERS]


def biases(tree: Any) -> list[np.ndarray]:
    return [np.asarray(tree[layer]["bias"]) for layer in LAYERS]


def cross_entropy(network: Model, blobs: Dataset, params: Any) -> jax.Array:
    data = lay_out(blobs)
    chosen = jax.nn.log_softmax(network.apply(params, normalise(data.images, data)))
    return -chosen[jnp.arange(len(data.labels)), data.labels].mean()


def gradients(
    network: Model,
    blobs: Dataset,
    params: Any,
    gates: list[np.ndarray],
    loss: Callable[[Model, Dataset, Any], jax.Array] = cross_entropy,
) -> list[np.ndarray]:
    """Of the loss with respect to the gated weights."""
    gated = {
        layer: {"kernel": gate * params[layer]["kernel"], "bias": params[layer]["bias"]}
        for layer, gate in zip(LAYERS, gates, strict=True)
    }
    return kernels(jax.jit(jax.grad(lambda params: loss(network, blobs, params)))(gated))


def taken(lane: Any) -> list[np.ndarray]:
    """The gradients of the first step of Adam, from its means."""
    return [mean / 0.1 for mean in kernels(lane.opt_state.mu)]
