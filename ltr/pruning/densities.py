"""Densities foretold: exact counts are known before any weight is trained."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from ltr.pruning.selection import fraction_of


def densities(
    layers: Sequence[tuple[int, Fraction]], scope: Literal["layerwise", "global"], rounds: int
) -> list[float]:
    """Density of the ticket in rounds 0 to `rounds`, 0 to 1.

    Args:
        layers: weights and prune rate of each prunable layer.
        scope: whether the rate holds in each layer, or over all layers of nonzero rate together.
        rounds: prunings.
    """
    pools = list(layers)
    if scope == "global":
        pooled = [(count, rate) for count, rate in layers if rate]
        fixed = [(count, rate) for count, rate in layers if not rate]
        pools = [
            *fixed,
            (sum(count for count, _ in pooled), max((rate for _, rate in pooled), default=Fraction(0))),
        ]
    total = sum(count for count, _ in pools)
    found = []
    for _ in range(rounds + 1):
        found.append(sum(count for count, _ in pools) / total)
        pools = [(count - fraction_of(rate, count), rate) for count, rate in pools]
    return found
