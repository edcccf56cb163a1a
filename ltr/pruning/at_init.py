"""Pruning at initialisation: masks of untrained networks, the rivals of lottery tickets.

As Frankle et al. (2021), Pruning Neural Networks at Initialization: Why Are We Missing the Mark?,
compare them. All but `random_at_init` compare the weights of all layers together; a layer may end up empty.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from ltr.core import masks, rng
from ltr.errors import LtrError
from ltr.models.model import Model
from ltr.pruning import selection, sharing

GRASP_TEMPERATURE = 200.0
"""What GraSP divides the logits by."""


class ScoringInput(NamedTuple):
    """What pruning at initialisation may look at.

    Attributes:
        model: its layers without a kind are never pruned.
        params: initial weights, NumPy float32.
        images: a batch, normalised, float32 [batch, height, width, channels]; about ten of each class.
        labels: int32 [batch].
        key: for what is drawn.
        keep: weights to keep, of all prunable layers together.
    """

    model: Model
    params: Any
    images: np.ndarray
    labels: np.ndarray
    key: jax.Array
    keep: int


AtInit = Callable[[ScoringInput], Any]
"""Network -> a mask that keeps exactly `keep` weights."""

Score = Callable[[ScoringInput, Any], Any]
"""Network, its mask so far -> scores like the mask; the lowest are pruned."""


def snip(network: ScoringInput, mask: Any) -> Any:
    """|g theta|, how much the loss changes as a weight goes (Lee et al., 2019, SNIP)."""
    model, params, images, labels, key, _ = network
    kernels = _kernels(model, params)
    gradient = _gradient(model.train, kernels, params, images, labels, key)
    return jax.tree.map(lambda g, theta: abs(g * theta), gradient, kernels)


def grasp(network: ScoringInput, mask: Any) -> Any:
    """Theta (H g), with logits divided by 200 (Wang et al., 2020, GraSP).

    Removed is what hinders the flow of gradients most: where -theta (H g) is highest. H and g are
    those of the prunable kernels alone.
    """
    model, params, images, labels, key, _ = network
    kernels = _kernels(model, params)
    product = _hessian_gradient(model.train, kernels, params, images, labels, key)
    return jax.tree.map(lambda hg, theta: theta * hg, product, kernels)


def synflow(network: ScoringInput, mask: Any) -> Any:
    """|dR/dtheta theta|, a weight's share of the synaptic flow R (Tanaka et al., 2020, SynFlow).

    R is the sum of outputs for an image of ones, of the pruned network with the absolute values of
    its weights, without biases, and with the statistics that batch normalisation begins with.
    """
    model, params = network.model, network.params
    positive = jax.tree.map(np.abs, jax.tree.map_with_path(_unbiased, masks.apply(mask, params)))
    kernels = _kernels(model, positive)
    ones = np.ones((1, *network.images.shape[1:]), np.float32)
    flow = _flow_gradient(model.apply, kernels, positive, ones)
    return jax.tree.map(lambda g, theta: g * theta, flow, kernels)


def magnitude_at_init(network: ScoringInput, mask: Any) -> Any:
    """|theta_0|."""
    return jax.tree.map(np.abs, _kernels(network.model, network.params))


def random_at_init(network: ScoringInput) -> Any:
    """A mask drawn evenly in each layer, all of the same density.

    Frankle et al. draw over all layers together, which leaves about that density in each; here it is exact.
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
    """Prune the lowest scores, in `rounds` steps of equal rate: to density rho^(i/rounds) in the i-th.

    With `invert` prune the highest (Frankle et al., 2021): if that does as well, the scores say nothing.
    """
    sign = -1 if invert else 1

    def mask(network: ScoringInput) -> Any:
        found = masks.ones(network.params, network.model.layer_types)
        weights = masks.count(found)
        for step in range(1, rounds + 1):
            scores = jax.tree.map(lambda leaf: sign * np.asarray(leaf), score(network, found))
            if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(scores)):
                raise LtrError(f"{score.__name__}: a score is not a finite number")
            density = (network.keep / weights) ** (step / rounds)
            key = rng.fold(network.key, "ties", step)
            found = selection.globally(scores, found, round(weights * density), key)
        return found

    return mask


def _kernels(model: Model, params: Any) -> Any:
    return masks.where(model.layer_types, params)


def _with_kernels(kernels: Any, params: Any) -> Any:
    return masks.tree_map(lambda kernel, leaf: leaf if kernel is None else kernel, kernels, params)


def _unbiased(path: tuple[Any, ...], leaf: np.ndarray) -> np.ndarray:
    return np.zeros_like(leaf) if path[-1].key == "bias" else leaf


def _loss(train: Any, temperature: float, batch: tuple[Any, ...]) -> Callable[[Any], jax.Array]:
    """Kernels -> mean cross-entropy as in training: batch statistics by the batch, dropout by the key."""
    params, images, labels, key = batch

    def loss(kernels: Any) -> jax.Array:
        logits, _ = train(_with_kernels(kernels, params), images, key)
        return optax.softmax_cross_entropy_with_integer_labels(logits / temperature, labels).mean()

    return loss


@partial(jax.jit, static_argnums=0)
def _gradient(train: Any, kernels: Any, *batch: Any) -> Any:
    return jax.grad(_loss(train, 1.0, batch))(kernels)


@partial(jax.jit, static_argnums=0)
def _hessian_gradient(train: Any, kernels: Any, *batch: Any) -> Any:
    gradient = jax.grad(_loss(train, GRASP_TEMPERATURE, batch))
    return jax.jvp(gradient, (kernels,), (gradient(kernels),))[1]


@partial(jax.jit, static_argnums=0)
def _flow_gradient(apply: Any, kernels: Any, params: Any, images: Any) -> Any:
    return jax.grad(lambda kernels: apply(_with_kernels(kernels, params), images).sum())(kernels)
