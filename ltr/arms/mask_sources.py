"""Which connections an arm keeps: where its mask comes from, with which weights, and how it is shuffled."""

from typing import Any

import jax
import numpy as np

from ltr.arms.context import ArmContext, Subnetwork
from ltr.arms.registry import MASKS, SHUFFLES, AtInitEntry, ScoreEntry
from ltr.config.schema import Arm
from ltr.core import masks
from ltr.models.kernel_shape import KernelShape
from ltr.pruning import sharing
from ltr.pruning.at_init import AtInit, by


def ticket(context: ArmContext) -> Subnetwork:
    """The mask that pruning found."""
    return context.ticket


def one_shot(context: ArmContext) -> Subnetwork:
    """The dense network pruned at once to the ticket's density (Frankle & Carbin, 2019, section 2).

    In each layer; where the run prunes globally, of the network, by one threshold of its own. A layer may
    then end up empty, as it may in practice.
    """
    mask = context.one_shot()
    return Subnetwork(mask, context.rewind(mask, context.dense(), context.rewind_params))


def own(arm: Arm, context: ArmContext, key: jax.Array) -> Subnetwork:
    """The arm's mask before any shuffle, with the weights that belong to it.

    Pruned at initialisation, the network keeps as many weights as the ticket, but not in each layer;
    layers that are never pruned stay whole.
    """
    entry = MASKS[arm.mask]
    if not isinstance(entry, AtInitEntry):
        ticket: Subnetwork = entry.load()(context)
        return ticket
    found = pruned_at_init(entry, arm.invert)(context.network(key))
    return Subnetwork(masks.tree_map(_or_else, context.ticket.mask, found), context.rewind_params)


def pruned_at_init(entry: AtInitEntry, invert: bool = False) -> AtInit:
    """Return the function that finds a mask at initialisation; `invert`: which prunes the highest scores."""
    code: Any = entry.load()
    return by(code, entry.rounds, invert) if isinstance(entry, ScoreEntry) else code


def _or_else(mask: Any, found: Any) -> Any:
    return mask if found is None else found


def layerwise(mask: Any, kernels: Any, generator: np.random.Generator) -> Any:
    """Every layer's mask shuffled: layer densities stay (Frankle & Carbin, 2019, "random sparsity")."""
    return jax.tree.map(lambda layer: generator.permutation(layer.ravel()).reshape(layer.shape), mask)


def by_input(mask: Any, kernels: Any, generator: np.random.Generator) -> Any:
    """Every input of a layer keeps how many connections it has; to which outputs is shuffled.

    An input is a pixel or unit, in a convolution a channel at a place of the kernel. For scores that
    prefer some inputs, as SNIP's do: a layerwise shuffle takes that preference away.
    """

    def permuted(layer: np.ndarray, kernel: KernelShape) -> np.ndarray:
        return kernel.from_by_input(generator.permuted(kernel.by_input(layer), axis=-1))

    return jax.tree.map(permuted, mask, kernels)


def globally(mask: Any, kernels: Any, generator: np.random.Generator) -> Any:
    """All layers' masks shuffled together: only the density of the network stays."""
    layers, structure = jax.tree.flatten(mask)
    drawn = generator.permutation(np.concatenate([layer.ravel() for layer in layers]))
    parts = np.split(drawn, np.cumsum([layer.size for layer in layers])[:-1])
    shapes = (layer.shape for layer in layers)
    return jax.tree.unflatten(
        structure, [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    )


def evenly(mask: Any, kernels: Any, generator: np.random.Generator) -> Any:
    """As many connections at random, spread so that every layer has the same density."""
    return _shared(mask, kernels, generator, sharing.uniform)


def erdos_renyi_kernel(mask: Any, kernels: Any, generator: np.random.Generator) -> Any:
    """As many connections at random, spread over the layers by their shapes (Evci et al., 2020, "ERK")."""
    return _shared(mask, kernels, generator, sharing.erdos_renyi_kernel)


def _shared(mask: Any, kernels: Any, generator: np.random.Generator, share: sharing.Share) -> Any:
    layers, structure = jax.tree.flatten(mask)
    total = masks.count(mask)
    shares = share(jax.tree.leaves(kernels), total)
    counts = sharing.whole(shares, total, [layer.size for layer in layers])
    drawn = (
        generator.permutation(np.arange(layer.size) < count).reshape(layer.shape)
        for layer, count in zip(layers, counts, strict=True)
    )
    return jax.tree.unflatten(structure, drawn)


def shuffled(name: str, mask: Any, kernels: Any, generator: np.random.Generator) -> Any:
    """The mask shuffled, but for layers that are never pruned, which `kernels` is None of."""
    shuffle = SHUFFLES[name].load()
    return masks.tree_map(_or_else, mask, shuffle(masks.where(kernels, mask), kernels, generator))
