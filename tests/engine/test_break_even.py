"""Crossovers: found where costs meet, measured once."""

import json
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from ltr import kernels
from ltr.config.schema import Optimizer
from ltr.core import optimizers
from ltr.engine import break_even
from ltr.engine.break_even import LayerShape, Probe
from ltr.engine.devices import Placement
from ltr.engine.packing import DENSEST

ALL = Placement(tuple(jax.devices()), 1)


def probe(monkeypatch: pytest.MonkeyPatch, dense: float, fixed: float, slope: float) -> Probe:
    """One for which a dense step takes so long, and a packed one that grows with its density."""

    def timed(self: Probe, layer: LayerShape, density: float | None) -> object:
        outlier = iter([100.0])
        seconds = dense if density is None else fixed + slope * density
        return lambda: next(outlier, seconds)

    monkeypatch.setattr(Probe, "timed", timed)
    return Probe(4, optimizers.build(Optimizer(), 1, 1), ALL)


@pytest.mark.parametrize(
    ("dense", "fixed", "slope", "expected"),
    [
        (5, 0.4, 10, 0.41),
        (2, 0, 10, 0.18),
        (1, 2, 10, 0.0),
        (30, 1, 10, DENSEST),
        (1, 0.5, -0.1, 0.45),
        (1, 2, -0.1, 0.0),
    ],
)
def test_it_is_where_packed_costs_nine_tenths_of_dense(
    monkeypatch: pytest.MonkeyPatch, dense: float, fixed: float, slope: float, expected: float
) -> None:
    assert probe(monkeypatch, dense, fixed, slope).break_even_density(LayerShape((8, 4))) == pytest.approx(
        expected
    )


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
@pytest.mark.parametrize(
    "layer",
    [
        LayerShape((8, 4)),
        LayerShape((8, 4), is_first=True),
        LayerShape((8, 4), is_first=True, reads_pixels=True),
        LayerShape((3, 3, 2, 4), 16),
    ],
    ids=str,
)
def test_steps_of_every_kind_take_time(layer: LayerShape) -> None:
    found = Probe(4, optimizers.build(Optimizer(), 1, 1), ALL)
    assert all(found.timed(layer, density)() > 0 for density in (None, 0.3))


class TestMeasured:
    @pytest.fixture
    def answers(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
        """What is measured, one after the other; more than three are an error."""
        answers = iter([0.1, 0.2, 0.3])
        monkeypatch.setattr(Probe, "crossover", lambda self, layer: next(answers))
        return answers

    def test_once_for_each_layer_batch_and_optimizer(self, tmp_path: Path, answers: Iterator[float]) -> None:
        file, shapes = (
            tmp_path / "new" / "crossovers.json",
            {"dense_1": LayerShape((8, 4)), "output": LayerShape((4, 2))},
        )
        on_status: list[str] = []
        first = break_even.measured(shapes, 60, Optimizer(), ALL, file, on_status.append)
        assert first == {"dense_1": 0.1, "output": 0.2}
        assert [text.split()[3:4] for text in on_status] == [["dense_1"], [], ["output"], []]
        assert break_even.measured(shapes, 60, Optimizer(), ALL, file, on_status.append) == first
        assert len(on_status) == 4
        other = break_even.measured(
            {"dense_1": LayerShape((8, 4))}, 30, Optimizer(), ALL, file, on_status.append
        )
        assert other == {"dense_1": 0.3}
        assert next(answers, None) is None
        assert len(json.loads(file.read_text())) == 3

    @pytest.mark.usefixtures("answers")
    def test_again_where_the_file_is_damaged(self, tmp_path: Path) -> None:
        file = tmp_path / "crossovers.json"
        file.write_text("{")
        shapes = {"output": LayerShape((4, 2))}
        assert break_even.measured(shapes, 60, Optimizer(), ALL, file, str) == {"output": 0.1}
