"""Decisions about the machine: where lanes train, and which layers train packed."""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax

from ltr import kernels
from ltr.arms.lanes import widest
from ltr.core import machine, masks
from ltr.core.plural import number_of
from ltr.core.shares import WHOLE, Shares
from ltr.data import dataset
from ltr.engine import break_even, devices
from ltr.engine.devices import Placement
from ltr.engine.measurements import LayerShape
from ltr.engine.packing import NO_LAYER, Layers
from ltr.errors import ConfigError
from ltr.experiment.memory import Memory, memory
from ltr.experiment.spec import RunSpec
from ltr.models.arithmetic import XLA, Arithmetic
from ltr.models.winograd import Tiles, tile
from ltr.report.formatting import memory as in_words

FEWEST_ZEROS = 0.4
"""Share of zeros among the pixels of images from which it pays to skip them in a dense layer.

Measured on LeNet-300-100 (see docs/speed.md): its step takes as long as XLA's at about 0.3.
"""

LEAST_OPERATIONS = 1e9
"""FLOPs of a device in a training step from which `parallel=auto` lets devices share batches.

Fewer are done in the time that the devices take to average gradients (measured in docs/scale.md).
"""

USED = 0.8
"""Share of an accelerator's memory that lanes may take, as XLA may allocate 25 % more than is estimated."""


def place(spec: RunSpec) -> Placement:
    """Choose the devices of a run's lanes, and whether they share batches, according to `parallel`.

    Raises:
        ConfigError: the machine has fewer devices than requested, or they cannot share the batches.
    """
    experiment, lanes = spec.experiment, widest(spec.experiment)
    found = devices.available(experiment.devices)
    shares = _shares(spec, lanes, len(found))
    splits_batches = shares.count > 1
    return devices.place(
        devices.first(found, shares.count) if splits_batches else found,
        lanes,
        experiment.lanes_per_device,
        partial(lanes_that_fit, spec, shares),
        splits_batches,
    )


def share_size(spec: RunSpec) -> int:
    """Return the number of examples of a batch that a device trains on."""
    return spec.experiment.batch_size // place(spec).shares.count


def _shares(spec: RunSpec, lanes: int, num_devices: int) -> Shares:
    """Return the shares of a batch of a run that trains up to `lanes` lanes at once."""
    experiment = spec.experiment
    if experiment.parallel == "lanes":
        return WHOLE
    processes, batch_size = jax.process_count(), experiment.batch_size
    divisors = [count for count in range(processes, num_devices + 1, processes) if batch_size % count == 0]
    if experiment.parallel == "batch":
        if spec.draws_by_itself:
            raise ConfigError(
                f"parallel=batch: model={experiment.model.name} draws random numbers outside of "
                "flax.linen.Dropout, so devices cannot share its batches; choose parallel=lanes"
            )
        if divisors in ([], [1]) and num_devices > 1:
            raise ConfigError(
                f"parallel=batch: none of {max(2, processes)} to {num_devices} devices divides "
                f"batch_size={batch_size}; choose batch_size={-(-batch_size // num_devices) * num_devices}"
            )
        return Shares(divisors[-1])
    large = [count for count in divisors if spec.step_operations >= count * LEAST_OPERATIONS]
    is_worth_it = large and large[-1] >= 2 * lanes
    return Shares(large[-1]) if is_worth_it and not spec.draws_by_itself else WHOLE


def lanes_that_fit(spec: RunSpec, shares: Shares, limit: int) -> int:
    """Return how many lanes an accelerator with `limit` bytes of memory trains side by side, at least one."""
    need = spec.memory(shares)
    return max(1, int(USED * limit - need.data) // (need.state + need.temporaries))


def needed(spec: RunSpec) -> Memory:
    """Estimate the memory that a run needs with the kernels of this machine; reads no data."""
    chosen = arithmetic(spec, dataset.describe(spec.experiment.dataset).zeros)
    return memory(spec, chosen, place(spec).shares)


def fitted(spec: RunSpec, need: Memory, on_message: Callable[[str], None]) -> RunSpec:
    """Return the specification with as many devices as the memory of this machine holds.

    A number of devices that the configuration names is kept, and with `check_memory=false` everything.

    Args:
        spec: the run.
        need: memory that it needs.
        on_message: called with a line if there is less memory than all devices need.

    Raises:
        ConfigError: the run needs more memory than there is.
    """
    experiment, wanted, available = spec.experiment, place(spec), machine.memory()
    lack = lack_of_wanted = _lack(need, wanted, available)
    if lack is None:
        return spec
    if not experiment.check_memory:
        on_message(f"ltr: check_memory=false: {lack}")
        return spec
    fewest = len(wanted.devices) if experiment.devices else 1
    for count in range(len(wanted.devices) - 1, fewest - 1, -1):
        fewer = replace(spec, experiment=replace(experiment, devices=count))
        placed = place(fewer)
        if (lack := _lack(need, placed, available)) is None:
            side_by_side = f"{number_of(placed.capacity, 'lane')} side by side, not {wanted.capacity}"
            on_message(f"ltr: trains {side_by_side}: {lack_of_wanted}")
            return fewer
    remedy = _remedy(spec, need, wanted, available)
    raise ConfigError(f"{lack}; {remedy}; to try it all the same, type check_memory=false")


def _lack(need: Memory, placement: Placement, available: int | None) -> str | None:
    """Return what lacks memory for a placement, and how much it has; None if nothing does."""
    lanes_at_once, of_device = placement.lanes_per_device, devices.memory(placement.devices[0])
    for name, needed, limit in (
        ("this machine", need.of_host(placement), available),
        ("a device", need.of_device(placement), of_device),
    ):
        if limit is not None and needed > limit:
            lanes_of_all = f"devices={len(placement.devices)}, lanes_per_device={lanes_at_once}"
            return f"{lanes_of_all}: needs about {in_words(needed)} of memory, {name} has {in_words(limit)}"
    return None


def _remedy(spec: RunSpec, need: Memory, wanted: Placement, available: int | None) -> str:
    """Return what to change of a run that does not fit."""
    for count in range(len(wanted.devices), 0, -1):
        for lanes_at_once in range(wanted.lanes_per_device, 0, -1):
            placed = Placement(wanted.devices[:count], lanes_at_once)
            if _lack(need, placed, available) is None:
                return f"fits with devices={count} lanes_per_device={lanes_at_once}"
    for count in range(2, len(jax.devices()) + 1):
        placed = Placement(tuple(jax.devices()[:count]), 1, splits_batches=True)
        divides = spec.experiment.batch_size % count == 0 and not spec.draws_by_itself
        if divides and _lack(spec.memory(placed.shares), placed, available) is None:
            return f"fits with parallel=batch devices={count} lanes_per_device=1"
    model = spec.experiment.model
    lower = f"lower batch_size={spec.experiment.batch_size} or model.width={model.width}"
    return f"{lower}, or choose a smaller network than model={model.name}"


def arithmetic(spec: RunSpec, zeros: float, recorded: Arithmetic | None = None) -> Arithmetic:
    """Choose the layers that ltr's kernels compute while they are dense, according to `arithmetic`.

    Args:
        spec: the run.
        zeros: share of zeros among the pixels of the training set.
        recorded: choice at the beginning of the run, which is kept.
    """
    placement = place(spec)
    if spec.experiment.arithmetic == "xla" or _lacks_kernels(placement):
        return XLA
    fastest = Arithmetic(_tiles(spec), _fused(spec, zeros), spec.model.batch_norms)
    chosen = fastest if recorded is None else recorded
    if placement.splits_batches:  # its kernels see no other device's share
        chosen = chosen._replace(batch_norms=())
    return chosen if _can_fuse(spec) else chosen._replace(fused=())


def _tiles(spec: RunSpec) -> Tiles:
    num_positions = spec.model.num_positions
    pixels = zip(
        jax.tree.leaves(masks.layer_names(num_positions)), jax.tree.leaves(num_positions), strict=True
    )
    return {
        name: size
        for name, count in pixels
        if name in spec.model.winograd_layers and (size := tile(count, share_size(spec)))
    }


def _can_fuse(spec: RunSpec) -> bool:
    """Return whether a device trains one lane at a time, and the optimizer can step on a kernel alone."""
    return place(spec).lanes_per_device == 1 and spec.method_context.optimizer.kernel_step is not None


def _fused(spec: RunSpec, zeros: float) -> tuple[str, ...]:
    """Return the dense layers that read a row per example; images only if many of their pixels are zero."""
    return tuple(
        name
        for name, layer in packable_layers(spec).items()
        if len(layer.kernel) == 2
        and layer.num_positions == 1
        and not (layer.reads_pixels and zeros < FEWEST_ZEROS)
    )


def packable_layers(spec: RunSpec, arithmetic: Arithmetic = XLA, zeros: float = 0.0) -> dict[str, LayerShape]:
    """Return the layers that could train packed, by name; arguments as of `packed_layers`."""
    num_positions = spec.model.num_positions
    trees = (masks.where(num_positions, tree) for tree in (spec.shapes, num_positions))
    layers = zip(*map(jax.tree.leaves, (masks.layer_names(num_positions), *trees)), strict=True)
    return {
        name: LayerShape(
            kernel.shape,
            num_positions,
            is_first=name == spec.model.first,
            reads_pixels=name == spec.model.input_layer,
            tile=arithmetic.tiles.get(name, 0),
            zeros=round(zeros, 1) if name == spec.model.input_layer else 0.0,
            is_fused=name in arithmetic.fused,
        )
        for name, kernel, num_positions in layers
    }


def packed_layers(
    spec: RunSpec,
    file: Path,
    on_status: Callable[[str], None],
    recorded: Layers | None = None,
    arithmetic: Arithmetic = XLA,
    zeros: float = 0.0,
) -> Layers:
    """Choose the layers that train packed, each up to a density, according to `sparse`.

    With `sparse=auto`, convolutions stay dense beside batch normalisation by ltr's kernels. It is left to XLA
    after packed layers, which costs more than they save (measured in docs/speed.md).

    Args:
        spec: the run.
        file: file of the break-even densities measured on this machine.
        on_status: called with the layer that is measured (see `ltr.engine.break_even.densities`).
        recorded: choice at the beginning of the run, which `sparse=auto` keeps.
        arithmetic: layers that ltr's kernels compute while they are dense.
        zeros: share of zeros among the pixels of the training set.

    Raises:
        ConfigError: `sparse=always`, but no layer can train packed.
    """
    decided = _decided(spec, recorded)
    if decided is not None:
        return decided
    layers, optimizer = _candidates(spec, arithmetic, zeros), spec.experiment.optimizer
    return break_even.densities(layers, share_size(spec), optimizer, place(spec).local, file, on_status)


def needs_measurement(
    spec: RunSpec, file: Path, recorded: Layers | None, arithmetic: Arithmetic, zeros: float
) -> bool:
    """Return whether `packed_layers` would measure break-even densities; arguments as there."""
    if _decided(spec, recorded) is not None:
        return False
    layers, optimizer = _candidates(spec, arithmetic, zeros), spec.experiment.optimizer
    return not break_even.are_known(layers, share_size(spec), optimizer, place(spec).local, file)


def _decided(spec: RunSpec, recorded: Layers | None) -> Layers | None:
    """Return the layers that train packed if no break-even density decides, else None."""
    sparse, layers = spec.experiment.sparse, packable_layers(spec)
    obstacle = _obstacle(place(spec), layers)
    if obstacle and sparse == "always":
        raise ConfigError(f"sparse=always: {obstacle}")
    if obstacle or sparse == "never":
        return NO_LAYER
    return dict.fromkeys(layers, 1.0) if sparse == "always" else recorded


def _candidates(spec: RunSpec, arithmetic: Arithmetic, zeros: float) -> dict[str, LayerShape]:
    layers = packable_layers(spec, arithmetic, zeros)
    return {
        name: layer for name, layer in layers.items() if len(layer.kernel) == 2 or not arithmetic.batch_norms
    }


def _obstacle(placement: Placement, layers: Collection[str]) -> str | None:
    if lack := _lacks_kernels(placement):
        return lack
    return None if layers else "needs layers of ltr.models.layers, of which this network has none"


def _lacks_kernels(placement: Placement) -> str | None:
    """Return why ltr's kernels cannot be used; None if they can."""
    platform = placement.devices[0].platform
    if platform != "cpu":
        return f"needs the CPU, this machine trains on a {platform}"
    if kernels.instruction_set() is None:
        return "needs ltr's kernels, which are built where ltr is installed beside a C++ compiler"
    return None
