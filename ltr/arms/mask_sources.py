"""Masks of arms: their sources, with the weights that belong to them, and their shuffles."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, PyTree

from ltr.arms.context import ArmContext, Subnetwork
from ltr.arms.registry import MASKS, SHUFFLES, AtInitEntry, ScoreEntry
from ltr.config.schema import Arm
from ltr.core import masks
from ltr.core.types import Mask, PRNGKey
from ltr.models.kernel_shape import KernelShape
from ltr.pruning import sharing
from ltr.pruning.at_init import AtInit, by


def ticket(context: ArmContext) -> Subnetwork:
    """Return the ticket of the round."""
    return context.ticket


def one_shot(context: ArmContext) -> Subnetwork:
    """Prune the dense network in one shot to the ticket's density (Frankle & Carbin, 2019, section 2).

    Each layer gets the density of the ticket's layer. If the run prunes globally, the whole network gets the
    ticket's density by a threshold of its own; a layer may then end up empty, as in practice.
    """
    mask = context.one_shot()
    return Subnetwork(mask, context.rewind(mask, context.dense(), context.rewind_params))


def searched(context: ArmContext) -> Subnetwork:
    """Return the mask that the arm's search found, and the weights that belong to it."""
    return context.searched()


def own(arm: Arm, context: ArmContext, key: PRNGKey) -> Subnetwork:
    """Return the arm's mask before any shuffle, with the weights that belong to it.

    The mask of another replicate goes with the lane's own rewound weights.
    A mask drawn at initialisation keeps as many weights as the ticket in total, but not in each layer. Layers
    that are never pruned stay whole.
    """
    if arm.mask_replicate is not None:
        return Subnetwork(context.mask_of(arm.mask_replicate), context.rewind_params)
    entry = MASKS[arm.mask]
    if not isinstance(entry, AtInitEntry):
        subnetwork: Subnetwork = entry.load()(context)
        return subnetwork
    mask = pruned_at_init(entry, arm.invert)(context.network(key))
    return Subnetwork(masks.tree_map(_or_default, context.ticket.mask, mask), context.rewind_params)


def pruned_at_init(entry: AtInitEntry, invert: bool = False) -> AtInit:
    """Return the function that prunes at initialisation; with `invert` it prunes the highest scores."""
    code: Any = entry.load()
    return by(code, entry.rounds, invert) if isinstance(entry, ScoreEntry) else code


def _or_default(default: Any, mask: Any) -> Any:
    return default if mask is None else mask


def layerwise(mask: Mask, kernels: PyTree[KernelShape], generator: np.random.Generator) -> Mask:
    """Shuffle the mask of each layer, which keeps its density (Frankle & Carbin, 2019, "random sparsity")."""
    return jax.tree.map(lambda layer: generator.permutation(layer.ravel()).reshape(layer.shape), mask)


def by_input(mask: Mask, kernels: PyTree[KernelShape], generator: np.random.Generator) -> Mask:
    """Shuffle each input's connections among the outputs; each input keeps its number of connections.

    An input is a pixel or unit, in a convolution a channel at a tap of the kernel. This is a control for
    scores that prefer some inputs, as SNIP's do; a layerwise shuffle would remove that preference.
    """

    def permuted(layer: Bool[np.ndarray, "*kernel"], kernel: KernelShape) -> Bool[np.ndarray, "*kernel"]:
        return kernel.from_by_input(generator.permuted(kernel.by_input(layer), axis=-1))

    return jax.tree.map(permuted, mask, kernels)


def globally(mask: Mask, kernels: PyTree[KernelShape], generator: np.random.Generator) -> Mask:
    """Shuffle the masks of all layers together, which keeps only the density of the network."""
    layers, structure = jax.tree.flatten(mask)
    drawn = generator.permutation(np.concatenate([layer.ravel() for layer in layers]))
    parts = np.split(drawn, np.cumsum([layer.size for layer in layers])[:-1])
    shapes = (layer.shape for layer in layers)
    return jax.tree.unflatten(
        structure, [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    )


def evenly(mask: Mask, kernels: PyTree[KernelShape], generator: np.random.Generator) -> Mask:
    """Draw a random mask with as many connections and the same density in every layer."""
    return _shared(mask, kernels, generator, sharing.uniform)


def erdos_renyi_kernel(mask: Mask, kernels: PyTree[KernelShape], generator: np.random.Generator) -> Mask:
    """Draw a random mask with as many connections and the layer densities of ERK (Evci et al., 2020)."""
    return _shared(mask, kernels, generator, sharing.erdos_renyi_kernel)


def _shared(
    mask: Mask, kernels: PyTree[KernelShape], generator: np.random.Generator, share: sharing.Share
) -> Mask:
    layers, structure = jax.tree.flatten(mask)
    total = masks.count(mask)
    shares = share(jax.tree.leaves(kernels), total)
    counts = sharing.whole(shares, total, [layer.size for layer in layers])
    drawn = (
        generator.permutation(np.arange(layer.size) < count).reshape(layer.shape)
        for layer, count in zip(layers, counts, strict=True)
    )
    return jax.tree.unflatten(structure, drawn)


def shuffled(name: str, mask: Mask, kernels: PyTree[KernelShape], generator: np.random.Generator) -> Mask:
    """Shuffle the mask by the entry `name`, except where `kernels` is None: layers never pruned."""
    shuffle = SHUFFLES[name].load()
    return masks.tree_map(_or_default, mask, shuffle(masks.where(kernels, mask), kernels, generator))
