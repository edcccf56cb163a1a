"""Where the weights are that a ticket keeps. Masks and weights are nested dictionaries of NumPy arrays."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class TicketLayer(NamedTuple):
    """A layer of a ticket.

    Attributes:
        kept: its mask, boolean, [in, out] of a dense layer.
        initial: its weights before any training, of the same shape.
    """

    kept: np.ndarray
    initial: np.ndarray


TicketLayers = Sequence[Mapping[str, TicketLayer]]
"""The ticket of a round in each replicate, by the name of the layer."""


def layers(mask: Any, initial: Any) -> dict[str, TicketLayer]:
    """The pruned layers of a ticket, by name, in the order in which it holds them."""
    found = dict(_kernels(initial))
    return {name: TicketLayer(kept, found[name]) for name, kept in _kernels(mask)}


def _kernels(tree: Any, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The arrays called `kernel` below a tree, by the path to their layer."""
    for key, node in tree.items():
        if isinstance(node, Mapping):
            yield from _kernels(node, f"{name}/{key}" if name else key)
        elif key == "kernel" and node is not None:
            yield name, node


def counted(ticket: Mapping[str, TicketLayer], round_number: int, replicate: int) -> list[dict[str, Any]]:
    """A row per `layer` of a ticket: weights `kept` and `of` how many, and their `density`."""
    return [
        {
            "round": round_number,
            "replicate": replicate,
            "layer": name,
            "kept": int(layer.kept.sum()),
            "of": layer.kept.size,
            "density": float(layer.kept.mean()),
        }
        for name, layer in ticket.items()
    ]


def initial_weights(tickets: TicketLayers, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Initial values of the weights of a layer that tickets keep, and of the others, of all replicates."""
    found = [ticket[layer] for ticket in tickets]
    kept, pruned = ([one.initial[one.kept] for one in found], [one.initial[~one.kept] for one in found])
    return np.concatenate(kept), np.concatenate(pruned)


def of_inputs(tickets: TicketLayers, layer: str) -> np.ndarray:
    """Connections that each input of a dense layer keeps, the mean over replicates: float [in]."""
    return np.mean([ticket[layer].kept.sum(-1) for ticket in tickets], 0)
