"""Sharing: divides a number of kept weights among layers, as integers of exactly that sum."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from ltr.models.kernel_shape import KernelShape

Share = Callable[[Sequence[KernelShape], int], list[Fraction]]
"""Kernels of layers, total number of kept weights -> number of kept weights of each layer."""


def uniform(kernels: Sequence[KernelShape], total: int) -> list[Fraction]:
    """Return shares of the same density in every layer; `total` is at most the number of weights."""
    sizes = [kernel.size for kernel in kernels]
    return [Fraction(total * size, sum(sizes)) for size in sizes]


def erdos_renyi_kernel(kernels: Sequence[KernelShape], total: int) -> list[Fraction]:
    """Return shares of density epsilon (n_in + n_out + k_h + k_w) / (n_in n_out k_h k_w), at most 1.

    Epsilon is chosen so that the layers keep `total` weights together. A layer that would get more weights
    than it has stays dense, and the other layers share the rest (Evci et al., 2020).

    Raises:
        LtrError: the inputs of a layer are unknown.
    """
    sizes, sums = [kernel.size for kernel in kernels], [kernel.erk_sum for kernel in kernels]
    dense: set[int] = set()
    while sparse := [n for n in range(len(kernels)) if n not in dense]:
        epsilon = Fraction(total - sum(sizes[n] for n in dense), sum(sums[n] for n in sparse))
        full = {n for n in sparse if epsilon * sums[n] > sizes[n]}
        if not full:
            break
        dense |= full
    return [Fraction(sizes[n]) if n in dense else epsilon * sums[n] for n in range(len(kernels))]


def whole(shares: Sequence[Fraction], total: int, most: Sequence[int]) -> list[int]:
    """Round shares to integers by the method of largest remainder.

    Each count is the floor of its share; units that remain go one by one to the largest remainder.

    Args:
        shares: shares, of sum `total`.
        total: sum of the counts.
        most: upper bound of each count, at least the floor of its share. It is the count of the round before,
            so that masks nest.
    """
    counts = [int(share) for share in shares]
    for _ in range(total - sum(counts)):
        candidates = (n for n in range(len(counts)) if counts[n] < most[n])
        counts[max(candidates, key=lambda n: shares[n] - counts[n])] += 1
    return counts
