"""The estimated cost of a run, against counts by hand."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import jax
import pytest

from ltr.core import masks
from ltr.engine import capacity, flops, speed
from ltr.engine.packing import NO_LAYER, Layers
from ltr.engine.speed import Speed
from ltr.experiment import estimate
from ltr.experiment.compose import from_words
from ltr.experiment.spec import RunSpec
from ltr.models.arithmetic import XLA

WORDS = ("model.width=0.1", "batch_size=50", "steps=20", "eval_every=10", "arms=[ticket]", "rounds=0")
VALIDATION, TEST = 137, 360

Count = Callable[..., float]


@cache
def spec(*words: str) -> RunSpec:
    return RunSpec.from_experiment(from_words([*WORDS, f"dataset.validation={VALIDATION}", *words]))


def cost(*words: str, packed: Layers = NO_LAYER) -> float:
    return estimate.seconds(spec(*words), packed, XLA, Path("unused"), str)


@pytest.fixture(autouse=True)
def _slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 1,000 FLOPs per second whose steps reach half of that, and which compiles at once."""
    monkeypatch.setattr(speed, "flops_meter", lambda _: lambda: 1000.0)
    monkeypatch.setattr(speed, "measured", lambda *_: Speed(efficiency=0.5, compilation=0.0))


@pytest.fixture
def seconds() -> Count:
    """Seconds of trainings that take these steps, and evaluate so many images each."""
    of = spec()
    step = flops.costs(of.method_context, 50, (8, 8, 1)).operations
    image = flops.example_operations(of.model, (8, 8, 1))
    return lambda trainings, steps, images: trainings * (steps * step + images * image) / 0.5 / 1000


def test_a_training_takes_its_steps_and_evaluations(seconds: Count) -> None:
    """Evaluated at steps 0, 10 and 20; on the test set at the early stop and at the end."""
    assert cost("replicates=1") == pytest.approx(seconds(1, 20, 3 * VALIDATION + 2 * TEST))


def test_test_curves_are_evaluated_beside_the_early_stop(seconds: Count) -> None:
    """The early stop is evaluated once more when it is known."""
    found = cost("replicates=1", "test_curves=true")
    assert found == pytest.approx(seconds(1, 20, 3 * VALIDATION + 4 * TEST))


@pytest.mark.parametrize(("replicates", "places"), [(2, 2), (3, 4), (4, 4)])
def test_the_last_batch_of_a_method_is_padded(replicates: int, places: int, seconds: Count) -> None:
    found = cost(f"replicates={replicates}", "devices=2")
    assert found == pytest.approx(seconds(places, 20, 3 * VALIDATION + 2 * TEST))


def test_each_method_fills_batches_of_its_own(seconds: Count) -> None:
    """In round 1, three lanes by their weights and three supermasks take four places each."""
    arms = ("rounds=1", "arms=[ticket,supermask]", "replicates=3", "devices=2")
    assert cost(*arms) == pytest.approx(seconds(4 + 4 + 4, 20, 3 * VALIDATION + 2 * TEST))


def test_trainings_to_the_rewind_step_are_padded_and_evaluated_at_their_ends(seconds: Count) -> None:
    found = cost("replicates=3", "devices=2", "rewind_step=5")
    whole, prefix = (seconds(4, 20, 3 * VALIDATION + 2 * TEST), seconds(4, 5, 2 * VALIDATION + 2 * TEST))
    assert found == pytest.approx(whole + prefix)


def test_packed_layers_save_time_in_proportion_to_their_density() -> None:
    """Round 1 has 80 % of the weights: at a break-even density of 100 % they take 80 % of the time."""
    words = ("replicates=1", "rounds=1")
    of = spec(*words)
    every_layer = dict.fromkeys(jax.tree.leaves(masks.layer_names(of.model.layer_types)), 1.0)
    whole = cost("replicates=1")
    costs = flops.costs(of.method_context, 50, (8, 8, 1))
    kept = (costs.overhead + 0.8 * (costs.operations - costs.overhead)) / costs.operations
    assert cost(*words, packed=every_layer) == pytest.approx(whole * (1 + kept), rel=0.01)


class TestPrograms:
    """Each compiles in two and a half times the time of a step."""

    @pytest.fixture(autouse=True)
    def _slow_compiler(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(speed, "measured", lambda *_: Speed(efficiency=1e12, compilation=1000.0))

    def programs(self, *words: str, packed: Layers = NO_LAYER) -> float:
        return cost(*words, packed=packed) / estimate.PROGRAM

    def test_of_dense_networks_there_is_one_a_method(self) -> None:
        assert self.programs("rounds=5") == pytest.approx(1)
        assert self.programs("rounds=5", "arms=[ticket,supermask,edge_popup]") == pytest.approx(3)

    def test_of_packed_ones_there_is_one_a_capacity(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The layer of 64 x 30 weights packs from round 4 on, when it has 787 of them.

        Its capacity is 1,088, from round 6 on (503 weights) 576, and from round 9 on (258) 320. Short
        trainings keep the first.
        """
        packed = {"dense_1": 0.5}
        assert self.programs("rounds=9", packed=packed) == pytest.approx(2)
        monkeypatch.setattr(capacity, "COMPILATION", 1.0)
        assert self.programs("rounds=3", packed=packed) == pytest.approx(1)
        assert self.programs("rounds=5", packed=packed) == pytest.approx(2)
        assert self.programs("rounds=8", packed=packed) == pytest.approx(3)
        assert self.programs("rounds=9", packed=packed) == pytest.approx(4)
        assert self.programs("rounds=9", "arms=[ticket,supermask]", packed=packed) == pytest.approx(5)
