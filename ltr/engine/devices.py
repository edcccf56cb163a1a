"""Lanes on devices: the one place that knows `jax.pmap`.

Devices come first: each takes `lanes_per_device` lanes. On a CPU every core is a device and
trains one lane at a time, since side by side their weights fall out of its cache; an accelerator
trains as many side by side (`jax.vmap`) as its memory takes.
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ltr.errors import ConfigError
from ltr.machine import cores

CACHED_FROM = 0.3
"""Seconds of compilation from which a program is kept for later processes."""

_AXIS = "devices"


class Placement(NamedTuple):
    """Where lanes go: `capacity` of them train at once."""

    devices: tuple[jax.Device, ...]
    lanes_per_device: int

    @property
    def capacity(self) -> int:
        """Lanes that train at once."""
        return len(self.devices) * self.lanes_per_device

    @property
    def sharding(self) -> NamedSharding:
        """The leading axis of every array split over the devices, as `jax.pmap` leaves its results."""
        return NamedSharding(Mesh(np.array(self.devices), (_AXIS,)), PartitionSpec(_AXIS))


def start(cache: Path | None) -> None:
    """Make each CPU core a device and keep compiled programs in `cache`.

    Where JAX is in use already, as in a program that calls ltr, its devices stay as they are: UserWarning
    if they leave cores idle. A cache that JAX already has is kept.
    """
    try:
        jax.config.update("jax_num_cpu_devices", len(cores()))
    except RuntimeError:  # JAX's devices are fixed by its first operation
        _warn_of_idle_cores()
    if cache is not None and jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", CACHED_FROM)


@functools.cache
def _warn_of_idle_cores() -> None:
    found, wanted = jax.devices(), len(cores())
    if found[0].platform == "cpu" and len(found) < wanted:
        warnings.warn(
            f"JAX was in use before ltr and has {len(found)} of {wanted} cores as devices, so fewer networks "
            f"train at once; to use all, call jax.config.update('jax_num_cpu_devices', {wanted}) right after "
            "importing jax",
            stacklevel=2,
        )


def place(devices: int | None, lanes_per_device: int | None, lanes: int, lane_bytes: int) -> Placement:
    """Choose devices and lanes per device for up to `lanes` lanes of `lane_bytes` bytes each.

    `devices=None` takes as many as there are lanes for; ConfigError if fewer are found than asked for.
    """
    found = jax.devices()
    if devices is not None and devices > len(found):
        raise ConfigError(f"devices={devices}: this machine has {len(found)} ({found[0].platform})")
    chosen = tuple(found[: min(devices or len(found), lanes)])
    share = -(-lanes // len(chosen))
    return Placement(chosen, min(share, lanes_per_device or _fitting(chosen[0], lane_bytes)))


def _fitting(device: jax.Device, lane_bytes: int) -> int:
    """Lanes to train side by side: half of an accelerator's memory is left to data and activations."""
    if device.platform == "cpu":
        return 1
    memory = (device.memory_stats() or {}).get("bytes_limit", 0)
    return max(1, memory // (2 * lane_bytes))


def describe(placement: Placement) -> dict[str, str | int]:
    """The placement as run.json records it: it decides how lanes are batched, hence their last bits."""
    first = placement.devices[0]
    return {
        "platform": first.platform,
        "kind": first.device_kind,
        "count": len(placement.devices),
        "lanes_per_device": placement.lanes_per_device,
    }


def parallel(
    function: Callable[..., Any], placement: Placement, donate: tuple[int, ...] = ()
) -> Callable[..., Any]:
    """`function(lane, *shared)` of one lane, compiled for `capacity` scattered lanes.

    `donate` lists the arguments whose memory the results may take over.
    """
    if placement.lanes_per_device > 1:
        function = _side_by_side(function)
    return jax.pmap(function, _AXIS, donate_argnums=donate, devices=placement.devices)


def _side_by_side(function: Callable[..., Any]) -> Callable[..., Any]:
    def lanes(lane: Any, *shared: Any) -> Any:
        return jax.vmap(lambda one: function(one, *shared))(lane)

    return lanes


def scatter(lanes: Sequence[Any], placement: Placement) -> Any:
    """Stack up to `capacity` pytrees of NumPy arrays and spread them; the last one fills empty places."""
    padded = [*lanes, *[lanes[-1]] * (placement.capacity - len(lanes))]
    shape = (len(placement.devices), placement.lanes_per_device)
    leading = shape if placement.lanes_per_device > 1 else shape[:1]

    def stack(*leaves: Any) -> jax.Array:
        stacked = np.stack(leaves)
        return jax.device_put(stacked.reshape(*leading, *stacked.shape[1:]), placement.sharding)

    return jax.tree.map(stack, *padded)


def gather(scattered: Any, count: int, placement: Placement) -> list[Any]:
    """The first `count` lanes of a scattered pytree, as NumPy arrays."""
    skip = 2 if placement.lanes_per_device > 1 else 1
    host = jax.tree.map(lambda leaf: np.asarray(leaf).reshape(-1, *leaf.shape[skip:]), scattered)
    return [_lane(host, number) for number in range(count)]


def _lane(stacked: Any, number: int) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf[number]), stacked)


def replicate(tree: Any, placement: Placement) -> Any:
    """A copy of a pytree on every device."""
    count = len(placement.devices)
    return jax.tree.map(
        lambda leaf: jax.device_put(np.broadcast_to(leaf, (count, *np.shape(leaf))), placement.sharding), tree
    )
