"""Sharing: how a number of kept weights is divided among layers. Integers, and the sum is exact."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from ltr.models.kernel_shape import KernelShape

Share = Callable[[Sequence[KernelShape], int], list[Fraction]]
"""Kernels of layers, and the weights they keep together -> those that each keeps."""


def uniform(kernels: Sequence[KernelShape], total: int) -> list[Fraction]:
    """The same density in every layer; at most its weights together."""
    sizes = [kernel.size for kernel in kernels]
    return [Fraction(total * size, sum(sizes)) for size in sizes]


def erdos_renyi_kernel(kernels: Sequence[KernelShape], total: int) -> list[Fraction]:
    """Density epsilon (n_in + n_out + k_h + k_w) / (n_in n_out k_h k_w), at most 1 (Evci et al., 2020).

    Epsilon is such that the layers have `total` weights together. Where a layer would get more than
    it has, it stays dense, and the others share the rest. LtrError if a layer's inputs are not known.
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
    """Shares made whole: the floor of each, and what is missing goes, one by one, where most is lacking.

    Args:
        shares: their sum is `total`.
        total: what the counts add up to.
        most: what each count may be at most, no less than the floor of its share: the count of the
            round before, so that masks can nest.
    """
    counts = [int(share) for share in shares]
    for _ in range(total - sum(counts)):
        open_ = (n for n in range(len(counts)) if counts[n] < most[n])
        counts[max(open_, key=lambda n: shares[n] - counts[n])] += 1
    return counts
