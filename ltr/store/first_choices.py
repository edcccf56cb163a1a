"""Choices that a run made first, as it measured this machine, and keeps when it is resumed."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self


class FirstChoices(NamedTuple):
    """How a run computes, as first chosen.

    Attributes:
        packed: layers that train packed, with their break-even densities; None if they were never chosen.
        tiles: convolutions by Winograd's filtering, with their tiles; None for a new run. A run that was
            begun before ltr recorded them has none.
        fused: dense layers whose kernels are updated in one pass with their gradients.
        batch_norms: batch normalisations that ltr's kernels compute.
        conv_form: form of the convolutions that XLA computes; a run begun before has XLA's own.
    """

    packed: dict[str, float] | None
    tiles: dict[str, int] | None
    fused: tuple[str, ...]
    batch_norms: tuple[str, ...]
    conv_form: str

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """Return the choices that a run.json records."""
        packed, tiles = facts.get("packed"), facts.get("winograd", {} if facts.get("sessions") else None)
        return cls(
            None if packed is None else {str(layer): float(density) for layer, density in packed.items()},
            None if tiles is None else {str(layer): int(tile) for layer, tile in tiles.items()},
            tuple(map(str, facts.get("fused", []))),
            tuple(map(str, facts.get("batch_norms", []))),
            str(facts.get("conv_form", "grouped")),
        )
