"""Two CPU devices, no folder of a real home, and a data set and a network that train in milliseconds."""

import contextlib
import dataclasses
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import settings

from ltr import plugins
from ltr.core import masks
from ltr.data.arrays import Split
from ltr.data.dataset import Dataset
from ltr.engine import break_even, devices, speed
from ltr.engine.break_even import Probe
from ltr.engine.measurements import LayerShape, Measurement
from ltr.experiment import compose, memory, runner, runtime, spec
from ltr.models.lenet import LeNet
from ltr.models.model import Model, from_linen
from ltr.registry import Entry, Registry
from tests.compilation import QUICK
from tests.compositions import compose_once
from tests.runtimes import Build, networks_once, paths_once, sharing, trainings_once

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_disable_most_optimizations", True)
os.environ["XLA_FLAGS"] = QUICK["XLA_FLAGS"]
jax.jit(lambda: 0)()  # XLA reads its flags once
del os.environ["XLA_FLAGS"]

settings.register_profile("ltr", max_examples=30, deadline=None, derandomize=True)
settings.load_profile("ltr")


gc.disable()  # importing and collecting leave next to no garbage, and a heap that takes long to search


def pytest_collection_finish() -> None:
    """Take what importing and collecting made out of every later garbage collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(300_000, 50, 100)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _no_real_folders(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Nothing is read from, nor written to, the folders and plug-ins of the person who runs the tests.

    Compiled programs alone are kept in pytest's cache, so that the next run of the tests compiles less.
    """
    compiled = request.config.cache.mkdir("jax")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "_installed", [])
        patch.delenv("LTR_CONFIG_DIR", raising=False)
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(compiled))  # of processes that tests start
        patch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
        patch.setattr(devices, "CACHED_FROM", 0.0)
        patch.setattr(runtime, "QUICKLY_COMPILED", {})  # all programs are, here
        patch.setattr(os, "fsync", lambda _: None)  # no file of a test is to survive a power failure
        devices.start(compiled)
        yield


@pytest.fixture(scope="session", autouse=True)
def _once() -> Iterator[None]:
    """Compose the same words of the same files once; trace each network, and its paths, once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "compose", compose_once())
        patch.setattr(spec, "build", networks_once())
        patch.setattr(runtime, "PathFinder", paths_once())
        yield


@pytest.fixture(scope="session", autouse=True)
def draw_figures() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Make a context in which runs draw their figures, which takes longer than the runs, so others do not."""
    draw = runner.draw

    @contextlib.contextmanager
    def drawing() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner, "draw", draw)
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "draw", lambda *_: None)
        yield drawing


@pytest.fixture(scope="session")
def shared_measure() -> Callable[[Probe, LayerShape], Measurement]:
    """Measure the first layer of the session, and take that for all others."""
    measure, found = Probe.measure, list[Measurement]()

    def once(probe: Probe, layer: LayerShape) -> Measurement:
        if not found:
            found.append(measure(probe, layer))
        return found[0]

    return once


@pytest.fixture(scope="module")
def rough_times(shared_measure: Callable[[Probe, LayerShape], Measurement]) -> Iterator[None]:
    """Time steps and matrix products by few of them, where no test asks how long they take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "_PRODUCTS", 10)
        for module in (speed, break_even):
            patch.setattr(module, "REPEATS", 3)
            patch.setattr(module, "SECONDS", 0.001)
        patch.setattr(break_even, "MOST_REPEATS", 3)
        patch.setattr(Probe, "measure", shared_measure)
        yield


@pytest.fixture(scope="session")
def shared_build() -> Build:
    """Build runtimes that runs of the command line share."""
    return sharing()


@pytest.fixture(scope="session")
def shared_trainings() -> Callable[..., list[memory.Training]]:
    """Estimate the memory of programs once for all runs of the command line."""
    return trainings_once()


@pytest.fixture(scope="module")
def compile_once(
    shared_build: Build, shared_trainings: Callable[..., list[memory.Training]]
) -> Iterator[None]:
    """Let runs of the same programs share them, as rounds of a run do, and measure before they begin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "trainings", shared_trainings)
        patch.setattr(break_even, "are_known", lambda *_: True)
        patch.setattr(runtime, "build", shared_build)
        yield


Registered = Callable[..., Any]
"""Registry, entry (, object that is its code) -> the entry, in the registry until the test ends."""


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Registered:
    """Puts entries into registries, in the place of those of their names."""

    def put(registry: Registry[Any], entry: Entry, code: Any = None) -> Entry:
        if code is not None:
            module = ModuleType(f"made_up_{entry.name}")
            module.code = code  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, module.__name__, module)
            entry = dataclasses.replace(entry, code=f"{module.__name__}:code")
        monkeypatch.setitem(registry._entries, entry.name, entry)
        return entry

    return put


@pytest.fixture(scope="session")
def blobs() -> Dataset:
    """Three classes of noisy 4x4 images, each with a brighter row; no split fills its last batch."""
    generator = np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = generator.integers(0, 3, count, np.int32)
        images = generator.integers(0, 150, (count, 4, 4, 1), np.uint8)
        images[np.arange(count), labels] += 100
        return Split(images, labels)

    train = split(47)
    mean, std = train.images.mean(keepdims=True)[0, 0, 0], train.images.std(keepdims=True)[0, 0, 0]
    return Dataset("blobs", train, split(23), split(17), 3, mean.astype(np.float32), std.astype(np.float32))


@pytest.fixture(scope="session")
def network() -> Model:
    """A LeNet with hidden layers of 8 and 6 units, for `blobs`."""
    return from_linen(LeNet((8, 6), 3), (4, 4, 1), input_layer="dense_1")


@pytest.fixture(scope="session")
def params(network: Model) -> Any:
    """Weights of `network`, biases drawn too, NumPy float32."""
    generator = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: generator.normal(0, 0.5, leaf.shape).astype(np.float32),
        jax.eval_shape(network.init, jax.random.key(0)),
    )


@pytest.fixture(scope="session")
def mask(network: Model, params: Any) -> Any:
    """A mask of `network` that keeps half of its weights, here and there."""
    generator = np.random.default_rng(2)
    return masks.tree_map(
        lambda kept: None if kept is None else generator.random(kept.shape) < 0.5,
        masks.ones(params, network.layer_types),
    )
