"""Arithmetic: the order of a network's operations, where it is not that of its layers as they are written."""

from typing import NamedTuple

from ltr.models.conv_forms import GROUPED
from ltr.models.winograd import NO_TILES, Tiles


class Arithmetic(NamedTuple):
    """Layers that ltr's kernels compute while they are dense, and the form of XLA's convolutions.

    Results differ from those of plain XLA by rounding, so a run keeps its choice.

    Attributes:
        tiles: convolutions by Winograd's filtering (see `ltr.models.winograd`).
        fused: names of the dense layers whose kernels are updated in one pass with their gradients (see
            `ltr.models.fused`).
        batch_norms: names of the batch normalisations (see `ltr.models.batch_norm`).
        conv_form: form of the convolutions that the kernels do not compute (see `ltr.models.conv_forms`).
    """

    tiles: Tiles = NO_TILES
    fused: tuple[str, ...] = ()
    batch_norms: tuple[str, ...] = ()
    conv_form: str = GROUPED


XLA = Arithmetic()
"""XLA computes every layer, as it is written."""
