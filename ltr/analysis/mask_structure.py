"""Structure of a ticket's mask. Masks and weights are nested dictionaries of NumPy arrays."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class TicketLayer(NamedTuple):
    """A layer of a ticket.

    Attributes:
        kept: mask, boolean; [in, out] of a dense layer.
        initial: weights before any training, of the same shape.
    """

    kept: np.ndarray
    initial: np.ndarray


TicketLayers = Sequence[Mapping[str, TicketLayer]]
"""Ticket of a round in each replicate, by layer name."""


def layers(mask: Any, initial: Any) -> dict[str, TicketLayer]:
    """Return the pruned layers of a ticket by name, in the order of its mask."""
    weights = dict(_kernels(initial))
    return {name: TicketLayer(kept, weights[name]) for name, kept in _kernels(mask)}


def _kernels(tree: Any, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Yield the path of each layer in a tree with its array named `kernel`."""
    for key, node in tree.items():
        if isinstance(node, Mapping):
            yield from _kernels(node, f"{name}/{key}" if name else key)
        elif key == "kernel" and node is not None:
            yield name, node


def weights_by_layer(
    ticket: Mapping[str, TicketLayer], round_number: int, replicate: int
) -> list[dict[str, Any]]:
    """Return one row for each `layer` of a ticket: `kept` weights, `weights` in all, and `density`."""
    return [
        {
            "round": round_number,
            "replicate": replicate,
            "layer": name,
            "kept": int(layer.kept.sum()),
            "weights": layer.kept.size,
            "density": float(layer.kept.mean()),
        }
        for name, layer in ticket.items()
    ]


def initial_weights(tickets: TicketLayers, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the initial values of the kept and of the pruned weights of a layer, over all replicates."""
    layers = [ticket[layer] for ticket in tickets]
    kept = [layer.initial[layer.kept] for layer in layers]
    pruned = [layer.initial[~layer.kept] for layer in layers]
    return np.concatenate(kept), np.concatenate(pruned)


def connections_of_inputs(tickets: TicketLayers, layer: str) -> np.ndarray:
    """Number of connections that each input of a dense layer keeps, mean over replicates: float64 [in]."""
    return np.mean([ticket[layer].kept.sum(-1) for ticket in tickets], 0)
