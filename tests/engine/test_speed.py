"""The speed of a network is measured once."""

from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest

from ltr import kernels
from ltr.config.schema import Optimizer as Config
from ltr.core import optimizers
from ltr.engine import speed
from ltr.engine.devices import Placement
from ltr.engine.speed import Speed
from ltr.methods.method import MethodContext
from ltr.models.model import Model
from tests.marks import slow

SGD, MOMENTUM = (optimizers.build(Config(name=name), 1, 1) for name in ("sgd", "momentum"))


@pytest.fixture
def measured(network: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Measures a network in a folder of its own; the messages that it gave are its attribute `said`."""
    monkeypatch.setattr(speed, "SECONDS", 0.0)

    def measured(batch: int = 10, optimizer: Any = SGD, operations: float = 1e4, lanes: int = 1) -> Speed:
        context = MethodContext(network, optimizer, 1, 1)
        placement = Placement((jax.devices()[0],), lanes)
        file, image = tmp_path / "cache" / "speeds.json", np.arange(16, dtype=np.uint8)
        images = np.resize(image, (batch, 4, 4, 1))
        return speed.measured(context, images, operations, placement, lambda: 1e9, file, measured.said.append)

    measured.said, measured.file = [], tmp_path / "cache" / "speeds.json"  # type: ignore[attr-defined]
    return measured


def test_it_is_measured_once_and_remembered(measured: Any) -> None:
    first = measured()
    assert first.efficiency > 0
    assert first.compilation > 0
    assert measured.said == ["timing a training step of this network", ""]
    assert measured() == first
    assert len(measured.said) == 2


def test_another_program_is_another_case(measured: Any) -> None:
    for words in ({}, {"batch": 12}, {"optimizer": MOMENTUM}, {"lanes": 2}, {}):
        measured(**words)
    assert len(measured.said) == 2 * 4


@pytest.mark.parametrize(("count", "lanes"), [(1, 1), slow(2, 1), slow(1, 3), (2, 2)])
def test_matrix_products_are_measured_on_every_lane(
    count: int, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two seconds, 200 products of 2 x 60 x 784 x 300 FLOPs in each lane."""
    meter = speed.flops_meter(Placement(tuple(jax.devices()[:count]), lanes))
    times = iter([10.0, 12.0])
    monkeypatch.setattr(speed.time, "monotonic", lambda: next(times))
    assert meter() == count * lanes * 200 * 2 * 60 * 784 * 300 / 2


@pytest.mark.parametrize(
    ("module", "name", "value"), [(speed, "EDITION", -1), (kernels, "instruction_set", lambda: "AVX9")]
)
def test_other_kernels_are_another_case(
    module: ModuleType, name: str, value: Any, measured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured()
    monkeypatch.setattr(module, name, value)
    measured()
    assert len(measured.said) == 2 * 2


def test_a_large_batch_is_timed_in_part(measured: Any) -> None:
    """Of 20 examples and four times the most operations five are timed: the same program as a batch of 5."""
    measured(batch=5)
    measured(batch=20, operations=4 * speed.MOST_OPERATIONS)
    assert len(measured.said) == 2


@pytest.mark.parametrize("text", ["{", slow("[1]"), slow('{"a": 1}'), '{"a": {"efficiency": 1}}'])
def test_a_damaged_file_is_measured_again(measured: Any, text: str) -> None:
    measured()
    measured.file.write_text(text)
    measured()
    assert len(measured.said) == 4
    measured()
    assert len(measured.said) == 4
