"""Arithmetic: the layers of a network that do not compute by XLA's operations while they are dense."""

from typing import NamedTuple

from ltr.models.winograd import NO_TILES, Tiles


class Arithmetic(NamedTuple):
    """Layers that ltr's kernels compute. Results differ from XLA's by rounding, so a run keeps its choice.

    Attributes:
        tiles: convolutions by Winograd's filtering (see `ltr.models.winograd`).
        fused: names of the dense layers whose kernels are updated in one pass with their gradients (see
            `ltr.models.fused`).
        batch_norms: names of the batch normalisations (see `ltr.models.batch_norm`).
    """

    tiles: Tiles = NO_TILES
    fused: tuple[str, ...] = ()
    batch_norms: tuple[str, ...] = ()


XLA = Arithmetic()
"""XLA computes every layer."""
