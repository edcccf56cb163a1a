"""Floating-point operations (FLOPs) of training steps, counted exactly.

They are those of the products of prunable kernels, 2 for each: a multiplication and an addition. A pruned
weight takes part in no product.
"""

from typing import TypeAlias

import jax
import numpy as np
from jaxtyping import Integer, PyTree

from ltr.core import masks
from ltr.core.types import Mask
from ltr.models.model import Model

Times: TypeAlias = Mask | PyTree[Integer[np.ndarray, "*kernel"]]
"""How often each weight is used or trained: in a step, as a mask says, or in several steps."""


def step(model: Model, used: Times, trained: Times) -> int:
    """Return the FLOPs of a training step of one image; arguments as for `by_layer`."""
    return sum(jax.tree.leaves(by_layer(model, used, trained)))


def forward(model: Model, used: Times) -> int:
    """Return the FLOPs of a forward pass of one image; arguments as for `by_layer`."""
    return 2 * sum(jax.tree.leaves(jax.tree.map(_products, model.uses, used)))


def by_layer(model: Model, used: Times, trained: Times) -> PyTree[int]:
    """Return the exact FLOPs of a training step of one image in each layer.

    A weight's product counts in the forward pass, in the gradient of the weight, and in the gradient of its
    layer's inputs. The first layer needs no gradient of its inputs. Not counted: taps of a convolution that
    fall on padding, biases, batch normalisation, activations, pooling, loss and optimizer.

    Args:
        model: the network; its `uses` and `first` are read.
        used: where, or how often, weights are not zero.
        trained: where, or how often, weights have a gradient.
    """

    def layer(name: str, uses: np.ndarray, used: np.ndarray, trained: np.ndarray) -> int:
        forward, weight_gradient = (_products(uses, times) for times in (used, trained))
        input_gradient = 0 if name == model.first else forward
        return 2 * (forward + weight_gradient + input_gradient)

    return jax.tree.map(layer, masks.layer_names(model.uses), model.uses, used, trained)


def _products(uses: np.ndarray, times: np.ndarray) -> int:
    """Return the products of an image in which weights take part, each as often as it is used."""
    broadcast = tuple(axis for axis, size in enumerate(uses.shape) if size == 1)
    return int((times.sum(broadcast, keepdims=True) * uses).sum())
