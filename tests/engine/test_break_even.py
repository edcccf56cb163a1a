"""Break-even densities: found where costs meet, measured once, and again where that was not sure."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import jax
import pytest

from ltr import kernels
from ltr.config.schema import Optimizer
from ltr.core import optimizers
from ltr.engine import break_even, measurements
from ltr.engine.break_even import Probe
from ltr.engine.capacity import DENSEST
from ltr.engine.devices import Placement
from ltr.engine.measurements import Case, LayerShape, Measurement

ALL = Placement(tuple(jax.devices()), 1)


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
    dense: float, fixed: float, slope: float, expected: float
) -> None:
    more, less = (fixed + slope * density for density in break_even.DENSITIES)
    assert break_even.break_even(dense, more, less) == pytest.approx(expected)


def probe(monkeypatch: pytest.MonkeyPatch, dense: float, slope: float, slow: Sequence[float]) -> Probe:
    """One whose timer has each step take some times as long as it should, turn by turn."""

    def timer(self: Probe, layer: LayerShape, density: float | None) -> object:
        seconds = dense if density is None else 1 + slope * density
        turns = iter(slow)
        return lambda: seconds * next(turns)

    monkeypatch.setattr(Probe, "timer", timer)
    return Probe(4, optimizers.build(Optimizer(), 1, 1), ALL)


def test_a_measurement_is_sure_of_itself_on_a_quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe(monkeypatch, 4, 10, [1.02, 1.0, 1.04, 9.0, 1.05]).measure(LayerShape((8, 4)))
    assert found.density == pytest.approx(0.26)
    assert (found.spread, found.doubt) == (0.04, "")
    assert datetime.now(UTC) - datetime.fromisoformat(found.date) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("slope", "slow", "doubt"),
    [
        (10, [1.0, 1.8, 2.5, 1.1, 3.0] + 10 * [2.0], "times spread by 80%"),
        (10, [1.0, 1.8, 2.5, 1.1, 3.0] + 5 * [1.2], ""),
        (-1, 5 * [1.0], "slower packed at 10% of the weights than at 45%"),
        (-0.1, 5 * [1.0], ""),
    ],
)
def test_on_a_busy_machine_it_is_not(
    slope: float, slow: list[float], doubt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert probe(monkeypatch, 4, slope, slow).measure(LayerShape((8, 4))).doubt == doubt


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
@pytest.mark.parametrize(
    "layer",
    [
        LayerShape((8, 4)),
        LayerShape((8, 4), is_first=True),
        LayerShape((8, 4), is_first=True, reads_pixels=True),
        LayerShape((8, 4), is_first=True, reads_pixels=True, zeros=0.8, is_fused=True),
        LayerShape((8, 4), is_fused=True),
        LayerShape((8, 4), num_positions=5),
        LayerShape((3, 3, 2, 4), 16),
    ],
    ids=str,
)
def test_steps_of_every_kind_take_time(layer: LayerShape) -> None:
    found = Probe(4, optimizers.build(Optimizer(), 1, 1), ALL)
    assert all(found.timer(layer, density)() > 0 for density in (None, 0.3))


class TestMeasured:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "new" / "break_even.json"

    @pytest.fixture
    def answers(self, monkeypatch: pytest.MonkeyPatch) -> list[Measurement]:
        """What is measured, one after the other; more than these are an error."""
        answers = [measurement(density) for density in (0.1, 0.2, 0.3)]
        monkeypatch.setattr(Probe, "measure", lambda self, layer: answers.pop(0))
        return answers

    def test_once_for_each_layer_batch_and_optimizer(self, file: Path, answers: list[Measurement]) -> None:
        shapes = {"dense_1": LayerShape((8, 4)), "output": LayerShape((4, 2))}
        on_status: list[str] = []
        first = break_even.densities(shapes, 60, Optimizer(), ALL, file, on_status.append)
        assert first == {"dense_1": 0.1, "output": 0.2}
        assert [text.split()[3:4] for text in on_status] == [["dense_1"], [], ["output"], []]
        assert break_even.densities(shapes, 60, Optimizer(), ALL, file, on_status.append) == first
        assert len(on_status) == 4
        other = break_even.densities(
            {"dense_1": LayerShape((8, 4))}, 30, Optimizer(), ALL, file, on_status.append
        )
        assert other == {"dense_1": 0.3}
        assert answers == []
        assert len(json.loads(file.read_text())) == 3

    def test_what_is_known_needs_no_measurement(self, file: Path, answers: list[Measurement]) -> None:
        answers[0] = measurement(0.1, doubt="busy")
        known = partial(break_even.are_known, OUTPUT, 60, Optimizer(), ALL, file)
        assert not known()
        break_even.densities(OUTPUT, 60, Optimizer(), ALL, file, str)
        with pytest.MonkeyPatch.context() as patch:
            for load, is_known in ((9.0, True), (0.1, False)):
                patch.setattr(break_even, "load", lambda load=load: load)
                assert known() is is_known
        break_even.densities(OUTPUT, 60, Optimizer(), ALL, file, str)
        assert len(answers) == 2

    @pytest.mark.usefixtures("answers")
    @pytest.mark.parametrize(
        "content", ["{", "[]", "3", '{"edition 2, adam, batch 60, 4 x 2 at 1": 0.5}', '[{"case": {}}]']
    )
    def test_again_where_the_file_is_damaged_or_of_an_older_format(self, content: str, file: Path) -> None:
        file.parent.mkdir()
        file.write_text(content)
        assert break_even.densities(OUTPUT, 60, Optimizer(), ALL, file, str) == {"output": 0.1}

    def test_again_until_it_is_sure(
        self, file: Path, answers: list[Measurement], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(break_even, "load", lambda: 0.1)
        answers[:] = [
            measurement(0.1, 0.9, "busy"),
            measurement(0.2, 1.5, "busier"),
            measurement(0.3, 0.5, "busy"),
            measurement(0.4),
        ]
        found = [break_even.densities(OUTPUT, 60, Optimizer(), ALL, file, str)["output"] for _ in range(5)]
        assert found == [0.1, 0.1, 0.3, 0.4, 0.4]

    def test_what_is_written_is_read(self, file: Path) -> None:
        case = Case.here(LayerShape((3, 3, 2, 4), 16, is_first=True), 60, "sgd", ALL)
        assert measurements.read(file) == {}
        measurements.write(file, {case: measurement(0.1)})
        assert measurements.read(file) == {case: measurement(0.1)}
        assert case.is_here
        assert not case._replace(jax="0.0").is_here


@pytest.mark.parametrize(
    ("doubt", "then", "now", "due"),
    [
        ("", 9.0, 0.1, False),
        ("busy", 9.0, 0.1, True),
        ("busy", 9.0, 9.0, False),
        ("busy", 9.0, 7.0, True),
        ("busy", 0.2, 0.9, True),
        ("busy", None, 9.0, True),
        ("busy", 9.0, None, True),
        ("", None, None, False),
    ],
)
def test_what_is_in_doubt_is_due_once_less_goes_on(
    doubt: str, then: float | None, now: float | None, due: bool
) -> None:
    assert break_even.is_due(measurement(0.1, doubt=doubt)._replace(load=then), now) == due


OUTPUT = {"output": LayerShape((4, 2))}


def measurement(density: float, spread: float = 0.01, doubt: str = "") -> Measurement:
    return Measurement(density, "2026-11-27T22:00:00+00:00", spread, 0.5, 1.0, doubt)


def test_a_dense_convolution_is_named_with_its_tiles() -> None:
    """`ltr doctor` lists it beside the same layer by XLA's convolution."""
    layer = LayerShape((3, 3, 64, 128), num_positions=256)
    assert str(layer) == "3 x 3 x 64 x 128 at 256"
    assert str(layer._replace(tile=4)) == "3 x 3 x 64 x 128 at 256, tiles of 4"
