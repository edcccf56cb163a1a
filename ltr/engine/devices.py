"""Placement of lanes on devices: the only module that uses `jax.pmap`.

Each device takes `lanes_per_device` lanes. On a CPU every core is a device and trains one lane at a time,
because the weights of several lanes would not fit into its cache. An accelerator trains as many lanes as its
memory holds, in parallel (`jax.vmap`). Where batches are split, all devices take the same lanes, and each its
share of their batches.
"""

import functools
import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree, Shaped

from ltr.core import heap
from ltr.core.machine import cores
from ltr.core.shares import AXIS, Shares
from ltr.engine import processes
from ltr.errors import ConfigError

CACHED_FROM = 0.05
"""Least seconds of compilation for which a program is cached for later processes."""

Scattered: TypeAlias = PyTree[Shaped[jax.Array, "devices ..."]]
"""Arrays of lanes, or copies, on devices; where a device has several lanes they are the second axis."""


class Placement(NamedTuple):
    """Devices, and lanes on each; `capacity` lanes train at once.

    Attributes:
        devices: devices that train.
        lanes_per_device: lanes on each.
        splits_batches: whether all devices train the same lanes, each on its share of every batch.
    """

    devices: tuple[jax.Device, ...]
    lanes_per_device: int
    splits_batches: bool = False

    @property
    def capacity(self) -> int:
        """Lanes that train at once."""
        return self.lanes_per_device * (1 if self.splits_batches else len(self.devices))

    @property
    def devices_per_lane(self) -> float:
        """Devices that train at once, for each lane."""
        return len(self.devices) / self.capacity

    @property
    def shares(self) -> Shares:
        """Shares of a batch."""
        return Shares(len(self.devices) if self.splits_batches else 1)

    @property
    def axes(self) -> tuple[int, ...]:
        """Leading axes of scattered lanes: devices, and lanes on each where there are several."""
        axes = (len(self.devices), self.lanes_per_device)
        return axes if self.lanes_per_device > 1 else axes[:1]

    @property
    def sharding(self) -> NamedSharding:
        """Sharding that splits the leading axis of an array over the devices, as `jax.pmap` does."""
        return NamedSharding(Mesh(np.array(self.devices), (AXIS,)), PartitionSpec(AXIS))

    @property
    def local(self) -> "Placement":
        """Placement on the devices of this process, with lanes of their own."""
        mine = tuple(device for device in self.devices if device.process_index == jax.process_index())
        return Placement(mine, self.lanes_per_device)


def start(cache: Path | None) -> None:
    """Make each CPU core a device, keep freed memory, and keep compiled programs in `cache`.

    If JAX is already in use, as in a program that calls ltr, its devices stay as they are; UserWarning if
    they leave cores idle. A cache that JAX already has is kept. Nothing is said of programs that cannot be
    written to it, as they are compiled again.
    """
    heap.keep_freed_memory()
    try:
        jax.config.update("jax_num_cpu_devices", len(cores()))
    except RuntimeError:  # JAX's devices are fixed by its first operation
        _warn_of_idle_cores()
    if cache is not None and jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", CACHED_FROM)
        warnings.filterwarnings("ignore", "Error writing persistent compilation cache", UserWarning)


@functools.cache
def _warn_of_idle_cores() -> None:
    devices, num_cores = jax.devices(), len(cores())
    if devices[0].platform == "cpu" and len(devices) < num_cores:
        warnings.warn(
            f"JAX was in use before ltr and has {len(devices)} of {num_cores} cores as devices, so fewer "
            f"networks train at once; to use all, call jax.config.update('jax_num_cpu_devices', {num_cores}) "
            "right after importing jax",
            stacklevel=2,
        )


def available(count: int | None) -> tuple[jax.Device, ...]:
    """Return devices, of each process as many as all have, or `count`; ConfigError if one has fewer."""
    found = jax.devices()
    fewest = min(Counter(device.process_index for device in found).values())
    if count is not None and count > fewest:
        raise ConfigError(f"devices={count}: this machine has {fewest} ({found[0].platform})")
    return first(found, (count or fewest) * jax.process_count())


def first(devices: Sequence[jax.Device], count: int) -> tuple[jax.Device, ...]:
    """Return `count` devices, equally many of each process, process by process; all if they are fewer."""
    of_each = -(-count // jax.process_count())
    by_process = (
        [device for device in devices if device.process_index == index][:of_each]
        for index in range(jax.process_count())
    )
    return tuple(itertools.chain.from_iterable(by_process))


def place(
    devices: Sequence[jax.Device],
    lanes: int,
    lanes_per_device: int | None,
    fitting: Callable[[int], int],
    splits_batches: bool = False,
) -> Placement:
    """Place up to `lanes` lanes on as many of the devices as there are lanes, or on all to split batches.

    Args:
        devices: devices that may be used.
        lanes: lanes that could train at once.
        lanes_per_device: lanes on each; by default an accelerator takes as many as fit, and a CPU device, or
            one whose memory is unknown, takes one.
        fitting: bytes of an accelerator's memory -> number of lanes that fit.
        splits_batches: whether the devices share the batches of each lane.
    """
    chosen = tuple(devices) if splits_batches else first(devices, lanes)
    share = lanes if splits_batches else -(-lanes // len(chosen))
    limit = memory(chosen[0])
    lanes_per_device = lanes_per_device or (1 if limit is None else fitting(limit))
    return Placement(chosen, min(share, lanes_per_device), splits_batches)


def memory(device: jax.Device) -> int | None:
    """Return the bytes of memory of an accelerator; None for a CPU, and where they are unknown."""
    if device.platform == "cpu":
        return None
    limit: int | None = (device.memory_stats() or {}).get("bytes_limit")
    return limit


def describe(placement: Placement) -> dict[str, str | int]:
    """Return the placement for run.json: it decides how lanes are batched, hence their last bits."""
    first = placement.devices[0]
    return {
        "platform": first.platform,
        "kind": first.device_kind,
        "count": len(placement.devices),
        "lanes_per_device": placement.lanes_per_device,
        "parallel": "batch" if placement.splits_batches else "lanes",
        "processes": jax.process_count(),
    }


@runtime_checkable
class Parallel(Protocol):
    """Function over scattered lanes, compiled at its first call."""

    def __call__(self, *arguments: Any) -> Any: ...

    def lower(self, *arguments: Any) -> Any:
        """Return the function lowered for such arguments, as `jax.stages.Lowered`."""


def parallel(function: Callable[..., Any], placement: Placement, donate: tuple[int, ...] = ()) -> Parallel:
    """Compile `function(lane, *shared)` of one lane for `capacity` scattered lanes.

    `donate` lists the arguments whose memory the results may reuse.
    """
    if placement.lanes_per_device > 1:
        function = _vectorised(function)
    return jax.pmap(function, AXIS, donate_argnums=donate, devices=placement.devices)


def _vectorised(function: Callable[..., Any]) -> Callable[..., Any]:
    def lanes(lane: Any, *shared: Any) -> Any:
        return jax.vmap(lambda single: function(single, *shared))(lane)

    return lanes


def scatter(lanes: Sequence[PyTree], placement: Placement) -> Scattered:
    """Stack up to `capacity` pytrees of NumPy arrays and split them over the devices, or copy them to each.

    Copies of the last one are the padding.
    """
    padded = [*lanes, *[lanes[-1]] * (placement.capacity - len(lanes))]
    if not placement.splits_batches:
        size = placement.local.capacity
        padded = padded[jax.process_index() * size :][:size]

    def stack(*leaves: Any) -> np.ndarray:
        stacked = np.stack(leaves).reshape(-1, *placement.axes[1:], *np.shape(leaves[0]))
        return np.broadcast_to(stacked, (len(placement.local.devices), *stacked.shape[1:]))

    return _put(jax.tree.map(stack, *padded), placement)


def _put(tree: PyTree[np.ndarray], placement: Placement) -> Scattered:
    """Split NumPy arrays over the devices of this process, as its part of arrays on all devices."""
    if jax.process_count() == 1:
        return jax.device_put(tree, placement.sharding)
    return jax.tree.map(partial(jax.make_array_from_process_local_data, placement.sharding), tree)


def scattered_shapes(lane: PyTree, placement: Placement) -> PyTree[jax.ShapeDtypeStruct]:
    """Return shapes and types of what `scatter` makes of lanes like this one."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((*placement.axes, *np.shape(leaf)), jnp.result_type(leaf)), lane
    )


def gather(scattered: Scattered, count: int, placement: Placement) -> list[PyTree[np.ndarray]]:
    """Return the first `count` lanes of a scattered pytree, as NumPy arrays, in every process."""
    skip = len(placement.axes)

    def lanes(leaf: jax.Array) -> np.ndarray:
        mine = leaf.addressable_shards[:1] if placement.splits_batches else leaf.addressable_shards
        return np.concatenate([shard.data for shard in mine]).reshape(-1, *leaf.shape[skip:])

    host = jax.tree.map(lanes, scattered)
    host = host if placement.splits_batches else processes.gathered(host)
    return [_lane(host, number) for number in range(count)]


def _lane(stacked: PyTree[np.ndarray], number: int) -> PyTree[np.ndarray]:
    return jax.tree.map(lambda leaf: np.asarray(leaf[number]), stacked)


def replicate(tree: PyTree, placement: Placement) -> Scattered:
    """Copy a pytree to every device of this process."""
    count = len(placement.local.devices)
    copies = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (count, *np.shape(leaf))), tree)
    return _put(copies, placement)
