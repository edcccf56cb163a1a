"""Tickets of another run, for other data or another optimizer (Morcos et al., 2019).

This run takes the masks of the other run. Its initial weights are those that the other run's tickets were
rewound to. If the number of classes differs, the output layer has another shape; it is drawn anew and not
pruned.
"""

from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from ltr.addresses import local
from ltr.config.schema import Experiment
from ltr.core import masks
from ltr.core.likeness import difference
from ltr.core.types import LayerTypes, Mask, Params
from ltr.errors import ConfigError
from ltr.store import fetching
from ltr.store.catalog import CHECKPOINTS
from ltr.store.folder import round_name
from ltr.store.groups import Groups

HEAD = "output"
"""Name of the output layer (head), which is drawn anew if its shape differs."""


class SourceTickets:
    """Tickets of another run, adapted to the shapes of this one.

    Args:
        experiment: resolved experiment, which names the other run.
        shapes: shapes of this run's parameters.

    Raises:
        ConfigError: the shape of a layer other than the output layer differs.
    """

    def __init__(self, experiment: Experiment, shapes: PyTree[jax.ShapeDtypeStruct]) -> None:
        self._groups = _groups(experiment)
        self._groups.require_whole({})
        self._shapes = shapes
        theirs = self._groups.load("initial", 0)["origin"]
        if unlike := difference(_without_head(theirs), _without_head(shapes)):
            raise ConfigError(f"ticket={experiment.ticket}: {unlike}")

    def initial(self, replicate: int, drawn: Params) -> Params:
        """Return the other run's unmasked initial weights; a head of another shape is that of `drawn`."""
        theirs = self._groups.load("initial", replicate)["origin"]
        return jax.tree.map(_fitting, theirs, drawn)

    def mask(self, round_number: int, replicate: int, dense: Mask) -> Mask:
        """Return the other run's mask of a round; that of a head of another shape is that of `dense`."""
        theirs = self._groups.load(round_name(round_number), replicate)["mask"]
        return masks.tree_map(_fitting, theirs, dense)

    def prunable(self, layer_types: LayerTypes) -> LayerTypes:
        """Return the layer types, None for a head of another shape."""
        theirs = self._groups.load("initial", 0)["origin"]
        fits = jax.tree.map(lambda their, our: their.shape == our.shape, theirs, self._shapes)
        return masks.tree_map(lambda layer_type, fit: layer_type if fit else None, layer_types, fits)


def _without_head(tree: Params) -> Params:
    """Return the parameters of all layers but the output layer."""
    return {layer: leaves for layer, leaves in tree.items() if layer != HEAD}


def _fitting(their: Any, our: Any) -> Any:
    """Return their array, or ours if the shapes differ."""
    return their if np.shape(their) == np.shape(our) else our


def _groups(experiment: Experiment) -> Groups:
    name, _, _ = str(experiment.ticket).partition("@")
    fetching.fetch_below(folder := local(experiment.output_root) / name, CHECKPOINTS)
    return Groups(folder / CHECKPOINTS)
