"""Packed lanes: a sparse kernel trains as the vector of its kept weights.

A lane is packed on its way to the devices and unpacked on its way back, so masks, rewinding, checkpoints and
tables never see packed weights.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
import optax
from jaxtyping import Bool, Float32, PyTree, Shaped

from ltr import kernels
from ltr.core import masks
from ltr.core.types import Mask, Params
from ltr.engine.capacity import DENSEST, capacity
from ltr.methods.method import Lane
from ltr.models.packed import NO_PATTERNS

Layers = Mapping[str, float]
"""Layer name -> density up to which its kernel trains packed."""

NO_LAYER: Layers = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class PackSpec:
    """Conversion between a kernel and the vector of its kept weights, padded with zeros to `capacity`.

    Dense layers and convolutions alone are packed (see `ltr.models.packed.has_sparse_products`).

    Attributes:
        kept: mask of the kernel; leading axes are merged into `in`.
        capacity: length of the vector, at least the number of kept weights.
    """

    kept: Bool[np.ndarray, "... in out"]
    capacity: int

    @property
    def pattern(self) -> kernels.SparsityPattern:
        return kernels.pattern(_flat(self.kept), self.capacity)

    def pack(self, kernel: Float32[np.ndarray, "... in out"]) -> Float32[np.ndarray, "{self.capacity}"]:
        """Return the kept values of a kernel, in the order of the pattern."""
        values = _flat(kernel).T[_flat(self.kept).T]
        return np.pad(values, (0, self.capacity - len(values)))

    def unpack(self, values: Float32[np.ndarray, "{self.capacity}"]) -> Float32[np.ndarray, "... in out"]:
        """Return the kernel of these values; pruned weights are zero."""
        kernel = np.zeros(self.kept.shape, values.dtype)
        _flat(kernel).T[_flat(self.kept).T] = values[: np.count_nonzero(self.kept)]
        return kernel


def _flat(kernel: Shaped[np.ndarray, "... in out"]) -> Shaped[np.ndarray, "rows out"]:
    """Return a view of a kernel as a matrix; its leading axes are merged into the rows."""
    return kernel.reshape(-1, kernel.shape[-1])


PackSpecs: TypeAlias = PyTree[PackSpec]
"""Like a mask: a `PackSpec` for a packed kernel, None elsewhere."""


def is_sparse(densities: PyTree[float]) -> bool:
    """Return whether a layer is sparse enough that it may train faster packed (see `break_even`)."""
    return any(density <= DENSEST for density in jax.tree.leaves(densities))


class Packing(NamedTuple):
    """Packing of the lanes of a run.

    Attributes:
        layers: layers that may be packed, and up to which density; others never are.
        direction: transformation of the optimizer, whose state is packed like the weights.
        steps: training steps in three rounds (see `ltr.engine.capacity`).
    """

    layers: Layers
    direction: optax.GradientTransformation
    steps: float = math.inf

    def packed(self, mask: Mask, params: Params) -> tuple[str, ...]:
        """Return the names of the layers that a lane trains packed.

        A layer is not packed if pruned weights are not zero, as in arms that freeze them.
        """

        def packed(kept: Any, name: Any, kernel: np.ndarray) -> str | None:
            if name not in self.layers or kept.mean() > self.layers[name] or kernel[~kept].any():
                return None
            return name

        return tuple(jax.tree.leaves(masks.tree_map(packed, mask, masks.layer_names(mask), params)))

    def pack_specs(self, lanes: Sequence[Lane]) -> list[PackSpecs]:
        """Return the pack specs of lanes that train together.

        A layer is packed if all lanes can pack it. Its capacity is that of the densest lane.

        Returns:
            pack specs of each lane.
        """
        packed = set.intersection(*(set(self.packed(lane.mask, lane.params)) for lane in lanes))

        def largest(kept: np.ndarray, name: str, *others: np.ndarray) -> int | None:
            most = max(int(mask.sum()) for mask in (kept, *others))
            return capacity(most, kept.size, self.steps) if name in packed else None

        first, *others = (lane.mask for lane in lanes)
        capacities = jax.tree.map(largest, first, masks.layer_names(first), *others)
        return [
            jax.tree.map(lambda kept, count: PackSpec(kept, count) if count else None, lane.mask, capacities)
            for lane in lanes
        ]

    def pack(self, lane: Lane, pack_specs: PackSpecs) -> Lane:
        """Return the lane as the devices train it: packed kernels have patterns in place of masks."""
        mask = jax.tree.map(lambda kept, pack_spec: None if pack_spec else kept, lane.mask, pack_specs)
        names = jax.tree.leaves(masks.layer_names(pack_specs))
        patterns = {
            name: pack_spec.pattern
            for name, pack_spec in zip(names, jax.tree.leaves(pack_specs), strict=True)
            if pack_spec
        }
        return self._each(lane._replace(mask=mask, patterns=patterns), pack_specs, PackSpec.pack)

    def unpack(self, lane: Lane, pack_specs: PackSpecs) -> Lane:
        """Return the lane with whole kernels and masks."""
        mask = masks.tree_map(
            lambda kept, pack_spec: pack_spec.kept if pack_spec else kept, lane.mask, pack_specs
        )
        return self._each(lane._replace(mask=mask, patterns=NO_PATTERNS), pack_specs, PackSpec.unpack)

    def _each(self, lane: Lane, pack_specs: PackSpecs, change: Any) -> Lane:
        def changed(leaf: np.ndarray, pack_spec: PackSpec | None) -> np.ndarray:
            return change(pack_spec, leaf) if pack_spec else leaf

        return lane._replace(
            params=jax.tree.map(changed, lane.params, pack_specs),
            opt_state=optax.tree.map_params(self.direction, changed, lane.opt_state, pack_specs),
            best_params=jax.tree.map(changed, lane.best_params, pack_specs),
        )
