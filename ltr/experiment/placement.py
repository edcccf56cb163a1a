"""Decisions about the machine: where lanes train, and which layers train packed."""

from collections.abc import Callable, Collection
from pathlib import Path

import jax
import numpy as np

from ltr import kernels
from ltr.arms.lanes import widest
from ltr.core import masks
from ltr.engine import break_even, devices
from ltr.engine.devices import Placement
from ltr.engine.measurements import LayerShape
from ltr.engine.packing import NO_LAYER, Layers
from ltr.errors import ConfigError
from ltr.experiment.spec import RunSpec


def place(spec: RunSpec) -> Placement:
    """Choose the devices of a run's lanes; ConfigError if the machine has fewer than requested."""
    experiment = spec.experiment
    lanes = widest(experiment)
    return devices.place(experiment.devices, experiment.lanes_per_device, lanes, lane_bytes(spec))


def lane_bytes(spec: RunSpec) -> int:
    """Return the memory of a lane on its device in bytes, without activations.

    A lane holds weights, the best weights, gradients, two moments (float32) and a mask (bool).
    """
    weights = sum(leaf.size for leaf in jax.tree.leaves(spec.shapes))
    return weights * (5 * np.dtype(np.float32).itemsize + 1)


def packable_layers(spec: RunSpec) -> dict[str, LayerShape]:
    """Return the layers that could train packed, by name."""
    num_positions = spec.model.num_positions
    trees = (masks.where(num_positions, tree) for tree in (spec.shapes, num_positions))
    layers = zip(*map(jax.tree.leaves, (masks.layer_names(num_positions), *trees)), strict=True)
    return {
        name: LayerShape(
            kernel.shape,
            num_positions,
            is_first=name == spec.model.first,
            reads_pixels=name == spec.model.input_layer,
        )
        for name, kernel, num_positions in layers
    }


def packed_layers(
    spec: RunSpec, file: Path, on_status: Callable[[str], None], recorded: Layers | None = None
) -> Layers:
    """Choose the layers that train packed, each up to a density, according to `sparse`.

    Args:
        spec: the run.
        file: file of the break-even densities measured on this machine.
        on_status: called with the layer that is measured (see `ltr.engine.break_even.densities`).
        recorded: choice at the beginning of the run, which `sparse=auto` keeps.

    Raises:
        ConfigError: `sparse=always`, but no layer can train packed.
    """
    experiment, layers, placement = spec.experiment, packable_layers(spec), place(spec)
    obstacle = _obstacle(placement, layers)
    if obstacle and experiment.sparse == "always":
        raise ConfigError(f"sparse=always: {obstacle}")
    if obstacle or experiment.sparse == "never":
        return NO_LAYER
    if experiment.sparse == "always":
        return dict.fromkeys(layers, 1.0)
    if recorded is not None:
        return recorded
    return break_even.densities(
        layers, experiment.batch_size, experiment.optimizer, placement, file, on_status
    )


def _obstacle(placement: Placement, layers: Collection[str]) -> str | None:
    platform = placement.devices[0].platform
    if platform != "cpu":
        return f"needs the CPU, this machine trains on a {platform}"
    if kernels.instruction_set() is None:
        return "needs the sparse kernels, which are built where ltr is installed beside a C++ compiler"
    return None if layers else "needs layers of ltr.models.layers, of which this network has none"
