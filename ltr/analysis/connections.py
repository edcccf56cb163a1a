"""Where the weights are that a ticket keeps. Masks and weights are nested dictionaries of NumPy arrays."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class Layer(NamedTuple):
    """A layer of a ticket.

    Attributes:
        kept: its mask, boolean [..., in, out].
        initial: its weights before any training, of the same shape.
    """

    kept: np.ndarray
    initial: np.ndarray


Tickets = Mapping[tuple[int, int], Mapping[str, Layer]]
"""By (round, replicate), then by the name of the layer."""


def layers(mask: Any, initial: Any) -> dict[str, Layer]:
    """The pruned layers of a ticket, by name, in the order in which it holds them."""
    found = dict(_kernels(initial))
    return {name: Layer(kept, found[name]) for name, kept in _kernels(mask)}


def _kernels(tree: Any, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The arrays called `kernel` below a tree, by the path to their layer."""
    for key, node in tree.items():
        if isinstance(node, Mapping):
            yield from _kernels(node, f"{name}/{key}" if name else key)
        elif key == "kernel" and node is not None:
            yield name, node


def by_layer(tickets: Tickets) -> pd.DataFrame:
    """A row per `round`, `replicate` and `layer`: weights `kept` and `of` how many, and their `density`."""
    rows = [
        {
            "round": round,
            "replicate": replicate,
            "layer": name,
            "kept": int(layer.kept.sum()),
            "of": layer.kept.size,
            "density": float(layer.kept.mean()),
        }
        for (round, replicate), of_layers in sorted(tickets.items())
        for name, layer in of_layers.items()
    ]
    return pd.DataFrame(rows, columns=["round", "replicate", "layer", "kept", "of", "density"])


def initial_weights(tickets: Tickets, round: int, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Initial values of the weights of a layer that a round keeps, and of the others, of all replicates."""
    found = _of_round(tickets, round, layer)
    kept, pruned = ([one.initial[one.kept] for one in found], [one.initial[~one.kept] for one in found])
    return np.concatenate(kept), np.concatenate(pruned)


def of_inputs(tickets: Tickets, round: int, layer: str) -> np.ndarray:
    """Connections that each input of a dense layer keeps in a round, the mean over replicates: float [in]."""
    return np.mean([one.kept.sum(-1) for one in _of_round(tickets, round, layer)], 0)


def _of_round(tickets: Tickets, round: int, layer: str) -> list[Layer]:
    """The layer in every replicate."""
    return [of_layers[layer] for (number, _), of_layers in sorted(tickets.items()) if number == round]
