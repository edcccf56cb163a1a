"""Shares of a batch: one for each device along a mapped axis, or the whole batch on a device."""

from dataclasses import dataclass
from typing import TypeVar

import jax
from jax import lax
from jaxtyping import PyTree, Shaped

from ltr.kernels import Array

AXIS = "devices"
"""Name of the mapped axis."""

Tree = TypeVar("Tree", bound=PyTree)


@dataclass(frozen=True)
class Shares:
    """Equal shares of a batch, in the order of the devices.

    With one share the functions below return their argument, and need no mapped axis.

    Attributes:
        count: number of shares.
    """

    count: int = 1

    @property
    def axes(self) -> list[tuple[str, int]]:
        """Mapped axes, and the size of each."""
        return [(AXIS, self.count)] if self.count > 1 else []

    @property
    def index(self) -> int | jax.Array:
        """Number of the share of this device, from 0."""
        return lax.axis_index(AXIS) if self.count > 1 else 0

    def own(self, batch: Shaped[Array, "batch ..."]) -> Shaped[jax.Array, "share ..."]:
        """Return the share of this device of an array of a whole batch."""
        if self.count == 1:
            return batch  # type: ignore[return-value]
        size = batch.shape[0] // self.count
        return lax.dynamic_slice_in_dim(batch, self.index * size, size)

    def gather(self, share: Shaped[Array, "share ..."]) -> Shaped[jax.Array, "batch ..."]:
        """Return the array of a whole batch, given the share of each device."""
        if self.count == 1:
            return share  # type: ignore[return-value]
        return lax.all_gather(share, AXIS, tiled=True)

    def mean(self, tree: Tree) -> Tree:
        """Average a pytree over the devices."""
        return lax.pmean(tree, AXIS) if self.count > 1 else tree

    def sum(self, tree: Tree) -> Tree:
        """Sum a pytree over the devices."""
        return lax.psum(tree, AXIS) if self.count > 1 else tree


WHOLE = Shares()
"""The whole batch on one device."""
