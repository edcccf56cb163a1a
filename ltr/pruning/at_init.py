"""Pruning at initialisation: masks of untrained networks, to compare lottery tickets with.

The methods are those that Frankle et al. (2021) compare in Pruning Neural Networks at Initialization: Why Are
We Missing the Mark? All but `random_at_init` compare weights of all layers, so a layer may end up empty.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Float32, Int32

from ltr.core import masks, rng
from ltr.core.types import Mask, Params, PRNGKey, Scores
from ltr.errors import LtrError
from ltr.models.model import Model
from ltr.pruning import selection, sharing

GRASP_TEMPERATURE = 200.0
"""Divisor of the logits in GraSP."""


EXAMPLES_PER_CLASS = 10
"""Number of training examples of each class in a batch for scores."""


class ScoringInput(NamedTuple):
    """Input of pruning at initialisation.

    Attributes:
        model: network; layers without a layer type are never pruned.
        params: initial weights, NumPy arrays.
        images: batch of normalised images, `EXAMPLES_PER_CLASS` of each class.
        labels: labels of the images.
        key: for random draws.
        keep: number of weights to keep in all prunable layers together.
    """

    model: Model
    params: Params
    images: Float32[np.ndarray, "batch height width channels"]
    labels: Int32[np.ndarray, "batch"]
    key: PRNGKey
    keep: int


AtInit = Callable[[ScoringInput], Mask]
"""Input -> mask that keeps exactly `keep` weights."""

Score = Callable[[ScoringInput, Mask], Scores]
"""Input, current mask -> scores like the mask; the lowest are pruned."""


def snip(network: ScoringInput, mask: Mask) -> Scores:
    """Score weights by |g theta|, the change of the loss without the weight (SNIP, Lee et al., 2019)."""
    model, params, images, labels, key, _ = network
    kernels = _kernels(model, params)
    gradient = _gradient(model.train, kernels, params, images, labels, key)
    return jax.tree.map(lambda g, theta: abs(g * theta), gradient, kernels)


def grasp(network: ScoringInput, mask: Mask) -> Scores:
    """Score weights by theta (H g), with logits divided by 200 (GraSP, Wang et al., 2020).

    Weights with the highest -theta (H g) are removed, because they hinder the gradient flow most. H and g are
    taken with respect to the prunable kernels only.
    """
    model, params, images, labels, key, _ = network
    kernels = _kernels(model, params)
    product = _hessian_gradient(model.train, kernels, params, images, labels, key)
    return jax.tree.map(lambda hg, theta: theta * hg, product, kernels)


def synflow(network: ScoringInput, mask: Mask) -> Scores:
    """Score weights by |dR/dtheta theta|, their share of the synaptic flow R (SynFlow, Tanaka et al., 2020).

    R is the sum of the outputs for an image of ones. The network is the one pruned so far, with the absolute
    values of its weights, without biases, and with the initial statistics of batch normalisation.
    """
    model, params = network.model, network.params
    positive = jax.tree.map(np.abs, jax.tree.map_with_path(_unbiased, masks.apply(mask, params)))
    kernels = _kernels(model, positive)
    ones = np.ones((1, *network.images.shape[1:]), np.float32)
    flow = _flow_gradient(model.apply, kernels, positive, ones)
    return jax.tree.map(lambda g, theta: g * theta, flow, kernels)


def magnitude_at_init(network: ScoringInput, mask: Mask) -> Scores:
    """Score weights by |theta_0|."""
    return jax.tree.map(np.abs, _kernels(network.model, network.params))


def random_at_init(network: ScoringInput) -> Mask:
    """Draw a uniformly random mask with the same density in every layer.

    Frankle et al. draw over all layers together, so layer densities are equal on average only; here they are
    exact.
    """
    dense = masks.ones(network.params, network.model.layer_types)
    leaves, structure = jax.tree.flatten(dense)
    kernels = jax.tree.leaves(masks.where(network.model.layer_types, network.model.kernels))
    shares = sharing.uniform(kernels, network.keep)
    counts = sharing.whole(shares, network.keep, [leaf.size for leaf in leaves])
    generator = np.random.default_rng(np.asarray(jax.random.key_data(network.key)))
    scores = [generator.random(leaf.shape, np.float32) for leaf in leaves]
    unflatten = partial(jax.tree.unflatten, structure)
    return selection.layerwise(unflatten(scores), dense, unflatten(counts), rng.fold(network.key, "ties"))


def by(score: Score, rounds: int = 1, invert: bool = False) -> AtInit:
    """Return the function that prunes the lowest scores in `rounds` steps of equal rate.

    For a final density rho the density after step i is rho^(i/rounds). With `invert` it prunes the highest
    scores (Frankle et al., 2021): if that works as well, the scores carry no information.
    """
    sign = -1 if invert else 1

    def prune(network: ScoringInput) -> Mask:
        mask = masks.ones(network.params, network.model.layer_types)
        weights = masks.count(mask)
        for step in range(1, rounds + 1):
            scores = jax.tree.map(lambda leaf: sign * np.asarray(leaf), score(network, mask))
            if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(scores)):
                raise LtrError(f"{score.__name__}: a score is not a finite number")
            density = (network.keep / weights) ** (step / rounds)
            key = rng.fold(network.key, "ties", step)
            mask = selection.globally(scores, mask, round(weights * density), key)
        return mask

    return prune


def _kernels(model: Model, params: Params) -> Params:
    return masks.where(model.layer_types, params)


def _with_kernels(kernels: Params, params: Params) -> Params:
    return masks.tree_map(lambda kernel, leaf: leaf if kernel is None else kernel, kernels, params)


def _unbiased(path: tuple[Any, ...], leaf: np.ndarray) -> np.ndarray:
    return np.zeros_like(leaf) if path[-1].key == "bias" else leaf


def _loss(
    train: Any, temperature: float, batch: tuple[Any, ...]
) -> Callable[[Params], Float32[jax.Array, ""]]:
    """Return a function: kernels -> mean cross-entropy, with batch statistics and dropout as in training."""
    params, images, labels, key = batch

    def loss(kernels: Params) -> Float32[jax.Array, ""]:
        logits, _ = train(_with_kernels(kernels, params), images, key)
        return optax.softmax_cross_entropy_with_integer_labels(logits / temperature, labels).mean()

    return loss


@partial(jax.jit, static_argnums=0)
def _gradient(train: Any, kernels: Params, *batch: Any) -> Params:
    return jax.grad(_loss(train, 1.0, batch))(kernels)


@partial(jax.jit, static_argnums=0)
def _hessian_gradient(train: Any, kernels: Params, *batch: Any) -> Params:
    gradient = jax.grad(_loss(train, GRASP_TEMPERATURE, batch))
    return jax.jvp(gradient, (kernels,), (gradient(kernels),))[1]


@partial(jax.jit, static_argnums=0)
def _flow_gradient(apply: Any, kernels: Params, params: Params, images: Any) -> Params:
    return jax.grad(lambda kernels: apply(_with_kernels(kernels, params), images).sum())(kernels)
