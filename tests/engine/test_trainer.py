"""Lanes train alike whoever shares their wave, their device or their start."""

import weakref
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config.schema import Duration, Optimizer
from ltr.core import masks
from ltr.engine.ahead import CompiledAhead
from ltr.engine.program import MAX_SEGMENTS
from ltr.engine.running_batch import RunningBatch
from ltr.engine.trainer import InitialState, Trainer
from ltr.methods import rigl_schedule
from ltr.methods.registry import METHODS, WATCHED
from ltr.models.model import Model
from tests.engine.lanes import AT, LANES, begin, identical, ignore
from tests.marks import slow_but


def test_a_lane_does_not_depend_on_who_shares_its_wave(trainer: Trainer, starts: Any) -> None:
    together = trainer.train(starts, AT, ignore)
    backwards = trainer.train(dict(reversed(starts.items())), AT, ignore)
    assert list(together) == LANES
    for lane in LANES:
        alone = trainer.train({lane: starts[lane]}, AT, ignore)[lane]
        assert identical(together[lane], alone)
        assert identical(together[lane], backwards[lane])


def test_a_batch_is_in_memory_without_the_one_before(
    trainer: Trainer, starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[RunningBatch]] = []

    class Watched(RunningBatch):
        def __init__(self, *arguments: Any) -> None:
            assert [batch for batch in made if batch() is not None] == []
            super().__init__(*arguments)
            made.append(weakref.ref(self))

    monkeypatch.setattr("ltr.engine.trainer.RunningBatch", Watched)
    trainer.train(starts, AT, ignore)
    assert len(made) > 1


def test_different_lanes_end_differently_and_equal_ones_alike(trainer: Trainer, starts: Any) -> None:
    first, second = LANES[:2]
    twins = trainer.train({first: starts[first], second: starts[first]}, AT, ignore)
    apart = trainer.train({first: starts[first], second: starts[second]}, AT, ignore)
    assert identical(twins[first], twins[second])
    assert not identical(apart[first], apart[second])


def test_where_the_host_visits_changes_no_number(
    trainer: Trainer, starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes, visits = [], []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr("ltr.engine.trainer.CHUNK_SECONDS", seconds)
        seen: list[int] = []
        outcomes.append(trainer.train(starts, AT, lambda progress, to=seen: to.append(progress.steps)))
        visits.append(seen)
    assert visits == [[2] * 14 + [1] * 14, [2, 16, 10, 14]]
    assert all(identical(outcomes[0][lane], outcomes[1][lane]) for lane in LANES)


def test_more_evaluations_than_fit_into_a_visit(
    trainer: Trainer, starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltr.engine.trainer.CHUNK_SECONDS", 1e9)
    at = np.resize(AT[:1], MAX_SEGMENTS + 9)
    at[-1] = 14
    outcome = trainer.train({LANES[0]: starts[LANES[0]]}, at, ignore)[LANES[0]]
    assert len(outcome.metrics.val_loss) == MAX_SEGMENTS + 9
    assert len(set(outcome.metrics.val_loss[:-1])) == 1


@pytest.mark.parametrize(
    "name",
    slow_but({"weights"}, [*METHODS, *WATCHED]),
)
def test_side_by_side_on_a_device_lanes_train_alike(
    name: str, make: Callable[..., Trainer], starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rigl_schedule, "EVERY", 4)
    trainer, other = make(method=name), make(method=name, lanes_per_device=2)
    begun = {lane: begin(trainer.methods[name], name, start) for lane, start in starts.items()}
    one_by_one, side_by_side = (each.train(begun, AT, ignore) for each in (trainer, other))
    for lane in LANES:
        for one, other in zip(
            *(jax.tree.leaves(o[lane][:3]) for o in (one_by_one, side_by_side)), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_training_rewound_with_all_its_weights_repeats_itself(
    make: Callable[..., Trainer], network: Model, params: Any
) -> None:
    """From step 6 on: the same learning rates, the same data. SGD has no moments to lose."""
    sgd = make(Optimizer(name="sgd", learning_rate=0.1, schedule="cosine", warmup=Duration(10)))
    start = InitialState(params, masks.ones(params, network.layer_types), np.array([0, 9], np.uint32))
    whole = sgd.train({"lane": start}, AT, ignore)["lane"]
    origin = sgd.train({"lane": start}, AT[:3], ignore)["lane"].params
    rewound = sgd.train({"lane": start._replace(params=origin)}, AT[2:], ignore)["lane"]
    jax.tree.map(np.testing.assert_array_equal, rewound.params, whole.params)
    np.testing.assert_array_equal(rewound.metrics.val_loss, whole.metrics.val_loss[2:])


def test_compilation_is_no_part_of_a_lane_s_seconds(
    trainer: Trainer, starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock on which compiling takes 100 seconds and a chunk two; every chunk asks for its version."""
    now, chunks = [0.0], []
    compiled = CompiledAhead.version

    def version(self: CompiledAhead, *arguments: Any) -> Callable[..., Any]:
        run = compiled(self, *arguments)
        now[0] += 100

        def timed(*arguments: Any) -> Any:
            chunks.append(now[0])
            now[0] += 2
            return run(*arguments)

        return timed

    monkeypatch.setattr(CompiledAhead, "version", version)
    monkeypatch.setattr("ltr.engine.running_batch.time.monotonic", lambda: now[0])
    monkeypatch.setattr("ltr.engine.trainer.time.monotonic", lambda: now[0])
    outcome = trainer.train({LANES[0]: starts[LANES[0]]}, AT, ignore)[LANES[0]]
    assert len(chunks) > 1
    assert outcome.seconds == 2 * len(chunks) * trainer.placement.devices_per_lane
