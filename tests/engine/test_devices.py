import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.engine import devices
from ltr.engine.devices import Placement
from ltr.errors import ConfigError


def placed(count: int, lanes_per_device: int) -> Placement:
    return Placement(tuple(jax.devices()[:count]), lanes_per_device)


def numbered(count: int) -> list[Any]:
    return [{"a": np.full((2, 3), n, np.float32), "b": np.int32(10 * n)} for n in range(count)]


@given(devices_=st.integers(1, 2), side_by_side=st.integers(1, 3), data=st.data())
def test_what_is_scattered_comes_back_without_the_padding(
    devices_: int, side_by_side: int, data: st.DataObject
) -> None:
    placement = placed(devices_, side_by_side)
    count = data.draw(st.integers(1, placement.capacity))
    lanes = numbered(count)
    back = devices.gather(devices.scatter(lanes, placement), count, placement)
    assert len(back) == count
    for one, other in zip(back, lanes, strict=True):
        assert all(isinstance(leaf, np.ndarray | np.generic) for leaf in jax.tree.leaves(one))
        jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("side_by_side", [1, 2])
def test_every_lane_is_computed_with_what_is_shared(side_by_side: int) -> None:
    placement = placed(2, side_by_side)
    add = devices.parallel(lambda lane, shared: lane["a"].sum() + shared, placement)
    lanes = devices.scatter(numbered(2 * side_by_side), placement)
    found = devices.gather(
        add(lanes, devices.replicate(np.float32(0.5), placement)), 2 * side_by_side, placement
    )
    assert [float(value) for value in found] == [6 * n + 0.5 for n in range(2 * side_by_side)]


@pytest.mark.parametrize("side_by_side", [1, 3])
def test_devices_that_share_batches_all_have_the_same_lanes(side_by_side: int) -> None:
    placement = placed(2, side_by_side)._replace(splits_batches=True)
    assert (placement.capacity, placement.devices_per_lane) == (side_by_side, 2 / side_by_side)
    lanes = numbered(side_by_side)
    scattered = devices.scatter(lanes, placement)
    for shard in scattered["b"].addressable_shards:
        assert shard.data.ravel().tolist() == [lane["b"] for lane in lanes]
    share = devices.parallel(lambda lane, batch: placement.shares.own(batch).sum() + lane["b"], placement)
    batch = devices.replicate(np.array([1.0, 2, 3, 4], np.float32), placement)
    assert np.asarray(share(scattered, batch)).reshape(2, -1)[:, 0].tolist() == [1 + 2, 3 + 4]
    back = devices.gather(scattered, side_by_side, placement)
    for one, other in zip(back, lanes, strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)


def test_lanes_come_to_the_devices_in_turn() -> None:
    scattered = devices.scatter(numbered(2), placed(2, 1))["b"]
    assert {shard.device: int(shard.data[0]) for shard in scattered.addressable_shards} == {
        jax.devices()[0]: 0,
        jax.devices()[1]: 10,
    }


def test_all_arrays_of_lanes_are_transferred_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    transfers, put = [], jax.device_put

    def counted(tree: Any, sharding: Any) -> Any:
        transfers.append(tree)
        return put(tree, sharding)

    monkeypatch.setattr(jax, "device_put", counted)
    devices.scatter(numbered(2), placed(2, 1))
    devices.replicate(numbered(1)[0], placed(2, 1))
    assert len(transfers) == 2


def test_only_what_is_donated_is_taken_over() -> None:
    placement = placed(2, 1)
    double = devices.parallel(lambda lane, shared: lane * shared, placement, donate=(0,))
    lane = devices.scatter([np.ones(4, np.float32)] * 2, placement)
    shared = devices.replicate(np.float32(2), placement)
    double(lane, shared)
    assert lane.is_deleted()
    assert not shared.is_deleted()


def none(limit: int) -> int:
    """No lane fits; of a CPU nobody asks."""
    return 0


def test_all_devices_are_taken_and_a_core_trains_one_lane_at_a_time() -> None:
    assert devices.place(devices.available(None), 100, None, none) == placed(2, 1)
    assert devices.place(devices.available(1), 100, None, none) == placed(1, 1)
    assert devices.place(devices.available(1), 100, 4, none).capacity == 4


def test_no_more_devices_are_taken_than_there_are_lanes() -> None:
    assert devices.place(devices.available(None), 1, None, none) == placed(1, 1)


def test_more_devices_than_there_are() -> None:
    with pytest.raises(ConfigError, match=r"^devices=3: this machine has 2 \(cpu\)$"):
        devices.available(3)


@pytest.mark.parametrize(
    ("lanes", "expected"), [(9, 5), (1, 1), (100, 10)], ids=["all", "one", "memory bounds"]
)
def test_an_accelerator_trains_as_many_lanes_as_its_memory_takes(
    lanes: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = SimpleNamespace(platform="gpu", process_index=0, memory_stats=lambda: {"bytes_limit": 1000})
    monkeypatch.setattr(jax, "devices", lambda: [gpu, gpu])
    found = devices.place(devices.available(None), lanes, None, lambda limit: limit // 100)
    assert found.lanes_per_device == expected


def test_an_accelerator_of_unknown_memory_trains_one_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    metal = SimpleNamespace(platform="metal", process_index=0, memory_stats=lambda: None)
    monkeypatch.setattr(jax, "devices", lambda: [metal])
    assert devices.place(devices.available(None), 9, None, none).lanes_per_device == 1
    assert devices.memory(metal) is None  # type: ignore[arg-type]


def test_a_placement_is_recorded_in_words() -> None:
    assert devices.describe(placed(2, 3)) == {
        "platform": "cpu",
        "kind": jax.devices()[0].device_kind,
        "count": 2,
        "lanes_per_device": 3,
        "parallel": "lanes",
        "processes": 1,
    }
    assert devices.describe(placed(2, 3)._replace(splits_batches=True))["parallel"] == "batch"


def test_every_core_that_may_be_used_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {}
    monkeypatch.setattr(jax.config, "update", said.__setitem__)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    devices.start(None)
    assert said == {"jax_num_cpu_devices": 3}


@pytest.fixture
def cache() -> Iterator[str]:
    """Where JAX keeps compiled programs."""
    before = jax.config.values["jax_compilation_cache_dir"]
    yield before
    jax.config.update("jax_compilation_cache_dir", before)


def test_compiled_programs_are_kept_where_jax_keeps_them_already(cache: str) -> None:
    devices.start(Path("here"))
    assert jax.config.values["jax_compilation_cache_dir"] == cache
    jax.config.update("jax_compilation_cache_dir", None)
    devices.start(Path("here"))
    assert jax.config.values["jax_compilation_cache_dir"] == "here"


def test_jax_that_is_in_use_keeps_its_devices_with_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    jax.devices()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    devices._warn_of_idle_cores.cache_clear()
    with pytest.warns(UserWarning, match=r"in use before ltr and has 2 of 3 cores .*_devices', 3\)") as seen:
        devices.start(None)
    devices.start(None)  # warnings are errors
    assert len(seen) == 1
    assert len(jax.devices()) == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    devices._warn_of_idle_cores.cache_clear()
    devices.start(None)  # more devices than cores leave none idle
