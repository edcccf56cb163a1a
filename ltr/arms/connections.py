"""Which connections an arm keeps: where its mask comes from, and how it is shuffled."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ltr.arms.source import Source
from ltr.pruning import selection


def ticket(source: Source) -> Any:
    """The mask that pruning found."""
    return source.ticket.mask


def one_shot(source: Source) -> Any:
    """The dense network pruned at once to the ticket's density in each layer.

    (Frankle & Carbin, 2019, section 2.)
    """
    return selection.to_counts(source.dense_scores(), source.ticket.mask)


MASKS: dict[str, Callable[[Source], Any]] = {"ticket": ticket, "one_shot": one_shot}


def unshuffled(mask: Any, generator: np.random.Generator) -> Any:
    """The mask as it is."""
    return mask


def layerwise(mask: Any, generator: np.random.Generator) -> Any:
    """Every layer's mask shuffled: layer densities stay (Frankle & Carbin, 2019, "random sparsity")."""
    return jax.tree.map(lambda layer: generator.permutation(layer.ravel()).reshape(layer.shape), mask)


def globally(mask: Any, generator: np.random.Generator) -> Any:
    """All layers' masks shuffled together: only the density of the network stays."""
    layers, structure = jax.tree.flatten(mask)
    drawn = generator.permutation(np.concatenate([layer.ravel() for layer in layers]))
    parts = np.split(drawn, np.cumsum([layer.size for layer in layers])[:-1])
    shapes = (layer.shape for layer in layers)
    return jax.tree.unflatten(
        structure, [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    )


SHUFFLES: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "none": unshuffled,
    "layerwise": layerwise,
    "global": globally,
}
