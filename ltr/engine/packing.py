"""Packed lanes: where a kernel is sparse enough, a lane trains the weights that it keeps and no others.

A lane is packed on its way to the devices and unpacked on its way back: masks, rewinding, checkpoints
and tables know nothing of it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from ltr import kernels
from ltr.core import masks
from ltr.methods.method import Lane
from ltr.models.packed import NO_PATTERNS

Layers = Mapping[str, float]
"""By the name of a layer, the density up to which its kernel trains packed."""

NO_LAYER: Layers = MappingProxyType({})


THREE_ROUNDS = 0.8**3
"""What is left of the weights after three rounds at a prune rate of 0.2."""

DENSEST = round(1.05 * THREE_ROUNDS, 4)
"""The density up to which a packed layer has less room than for all its weights, if it is not tiny.

The twentieth is for the rounding of what is pruned, which keeps more from round to round.
"""

MULTIPLE = 64
"""Of which the room of packed weights is one: whole vectors, or XLA updates weights one by one."""


@dataclass(frozen=True, eq=False)
class PackSpec:
    """A kernel in a packed lane: the values of its connections, in room for `capacity`.

    Dense layers and convolutions alone are packed (see `ltr.models.packed.has_sparse_products`).

    Attributes:
        kept: its mask, boolean [..., in, out]; it is flattened to [in, out].
    """

    kept: np.ndarray
    capacity: int

    @property
    def pattern(self) -> kernels.SparsityPattern:
        return kernels.pattern(_flat(self.kept), self.capacity)

    def pack(self, kernel: np.ndarray) -> np.ndarray:
        """Kernel [..., in, out] -> values [capacity], in the order of the pattern."""
        values = _flat(kernel).T[_flat(self.kept).T]
        return np.pad(values, (0, self.capacity - len(values)))

    def unpack(self, values: np.ndarray) -> np.ndarray:
        """Values [capacity] -> kernel [..., in, out], zero where nothing is kept."""
        kernel = np.zeros(self.kept.shape, values.dtype)
        _flat(kernel).T[_flat(self.kept).T] = values[: np.count_nonzero(self.kept)]
        return kernel


def _flat(kernel: np.ndarray) -> np.ndarray:
    """A view of a kernel [..., in, out] as [..., out]."""
    return kernel.reshape(-1, kernel.shape[-1])


class Packing(NamedTuple):
    """How the lanes of a run are packed.

    Attributes:
        layers: which kernels may be; those that it does not name never are.
        direction: the optimizer's, whose state is packed with the weights.
    """

    layers: Layers
    direction: optax.GradientTransformation

    def packed(self, mask: Any, params: Any) -> tuple[str, ...]:
        """The layers of a lane that train packed: none that holds a weight beside those it keeps."""

        def packed(kept: Any, name: Any, kernel: np.ndarray) -> str | None:
            if name not in self.layers or kept.mean() > self.layers[name] or kernel[~kept].any():
                return None
            return name

        return tuple(jax.tree.leaves(masks.tree_map(packed, mask, masks.layer_names(mask), params)))

    def pack_specs(self, lanes: Sequence[Lane]) -> list[Any]:
        """How to pack lanes that train together: the layers that all of them pack, in room for the fullest.

        Like the mask: a `PackSpec` of a kernel that is packed, None elsewhere.
        """
        packed = set.intersection(*(set(self.packed(lane.mask, lane.params)) for lane in lanes))

        def fullest(kept: np.ndarray, name: str, *others: np.ndarray) -> int | None:
            most = max(int(one.sum()) for one in (kept, *others))
            return capacity(most, kept.size) if name in packed else None

        first, *others = (lane.mask for lane in lanes)
        capacities = jax.tree.map(fullest, first, masks.layer_names(first), *others)
        return [
            jax.tree.map(lambda kept, count: PackSpec(kept, count) if count else None, lane.mask, capacities)
            for lane in lanes
        ]

    def pack(self, lane: Lane, pack_specs: Any) -> Lane:
        """The lane as the devices train it: without the masks of packed kernels, with their patterns."""
        mask = jax.tree.map(lambda kept, pack_spec: None if pack_spec else kept, lane.mask, pack_specs)
        names = jax.tree.leaves(masks.layer_names(pack_specs))
        patterns = {
            name: pack_spec.pattern
            for name, pack_spec in zip(names, jax.tree.leaves(pack_specs), strict=True)
            if pack_spec
        }
        return self._each(lane._replace(mask=mask, patterns=patterns), pack_specs, PackSpec.pack)

    def unpack(self, lane: Lane, pack_specs: Any) -> Lane:
        """The lane as everything else knows it."""
        mask = masks.tree_map(
            lambda kept, pack_spec: pack_spec.kept if pack_spec else kept, lane.mask, pack_specs
        )
        return self._each(lane._replace(mask=mask, patterns=NO_PATTERNS), pack_specs, PackSpec.unpack)

    def _each(self, lane: Lane, pack_specs: Any, change: Any) -> Lane:
        def changed(leaf: np.ndarray, pack_spec: PackSpec | None) -> np.ndarray:
            return change(pack_spec, leaf) if pack_spec else leaf

        return lane._replace(
            params=jax.tree.map(changed, lane.params, pack_specs),
            opt_state=optax.tree.map_params(self.direction, changed, lane.opt_state, pack_specs),
            best_params=jax.tree.map(changed, lane.best_params, pack_specs),
        )


def capacity(count: int, size: int) -> int:
    """Room for `count` of `size` weights: for all of them, or for what is left after 3, 6, 9, ... rounds.

    Of the usual prune rate, and a little more. Shapes decide what has to be compiled: rounds of similar
    density share a program.
    """
    bucket, share = size, DENSEST
    while count <= (smaller := MULTIPLE * math.ceil(share * size / MULTIPLE)) < bucket:
        bucket, share = smaller, share * THREE_ROUNDS
    return bucket
