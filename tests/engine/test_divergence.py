"""A lane that diverges ends alone, where an evaluation finds it so."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config.schema import Optimizer
from ltr.engine.program import Metrics
from ltr.engine.trainer import InitialState, Progress, Snapshot, Trainer
from tests.engine.lanes import AT, EVERY, LANES, identical, ignore
from tests.marks import slow

BROKEN = LANES[1]


def broken(start: InitialState, value: float = np.nan) -> InitialState:
    """A start with one bias that is not finite."""
    params = jax.tree.map(np.copy, start.params)
    params["dense_1"]["bias"][0] = value
    return start._replace(params=params)


@pytest.fixture
def torn(starts: Any) -> Any:
    return starts | {BROKEN: broken(starts[BROKEN])}


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        slow({"lanes_per_device": 2}),
        slow({"packed": EVERY}),
        slow({"method": "rigl", "lanes_per_device": 2}),
        {"fused": ("dense_1",), "config": Optimizer(name="sgd", learning_rate=0.1)},
    ],
)
def test_the_other_lanes_of_its_batch_train_as_without_it(
    knobs: dict[str, Any], make: Callable[..., Trainer], starts: Any
) -> None:
    named = {lane: start._replace(program=knobs.get("method", "weights")) for lane, start in starts.items()}
    trainer = make(**knobs)
    alone = trainer.train(named, AT, ignore)
    beside = trainer.train(named | {BROKEN: broken(named[BROKEN])}, AT, ignore)
    assert {lane for lane, outcome in beside.items() if outcome.is_diverged} == {BROKEN}
    assert all(identical(alone[lane], beside[lane]) for lane in LANES if lane != BROKEN)


def test_its_metrics_end_where_an_evaluation_finds_it(trainer: Trainer, torn: Any) -> None:
    outcome = trainer.train(torn, AT, ignore)[BROKEN]
    assert all(np.isnan(values).tolist() == [True] for values in outcome.metrics)
    assert outcome.notes == {}


def test_what_it_learned_before_is_kept(make: Callable[..., Trainer], starts: Any) -> None:
    wild = make(Optimizer(name="sgd", learning_rate=1e30)).train(starts, AT, ignore)
    for outcome in wild.values():
        assert np.isfinite(outcome.metrics.val_loss).tolist() == [True, False]
        assert np.isnan(outcome.metrics.val_accuracy[-1])


@pytest.mark.usefixtures("visited_at_every_step")
def test_a_batch_whose_lanes_have_all_diverged_is_over(make: Callable[..., Trainer], starts: Any) -> None:
    seen: list[Progress] = []
    make(Optimizer(name="sgd", learning_rate=1e30)).train(starts, AT, seen.append)
    assert sum(progress.steps for progress in seen) == 3 * 3
    assert np.isnan(seen[-1].accuracy)


def test_weights_that_are_not_finite_count_at_the_end_if_the_loss_hides_them(
    trainer: Trainer, starts: Any
) -> None:
    """ReLU makes a bias of minus infinity an activation of zero."""
    hidden = trainer.train(starts | {BROKEN: broken(starts[BROKEN], -np.inf)}, AT, ignore)[BROKEN]
    assert hidden.is_diverged
    assert np.isfinite(hidden.metrics.val_loss).tolist() == [True] * (len(AT) - 1) + [False]


@pytest.mark.usefixtures("visited_at_every_step")
def test_the_accuracy_of_a_visit_is_that_of_the_others(trainer: Trainer, torn: Any) -> None:
    seen: list[Progress] = []
    outcomes = trainer.train(torn, AT, seen.append)
    assert seen[13].accuracy == pytest.approx(float(outcomes[LANES[0]].metrics.val_accuracy[-1]))


@pytest.mark.usefixtures("visited_at_every_step")
def test_a_snapshot_of_any_visit_resumes_it_bit_for_bit(trainer: Trainer, torn: Any) -> None:
    snapshots: list[Snapshot] = []
    whole = trainer.train(torn, AT, lambda progress: snapshots.append(progress.snapshot()))
    for snapshot in snapshots:
        resumed = trainer.train(torn, AT, ignore, snapshot)
        assert all(identical(whole[lane], resumed[lane]) for lane in LANES)


def test_a_training_loss_counts_where_there_were_steps() -> None:
    fine, lost = np.ones(4, np.float32), np.array([np.nan, 1, np.nan, 1], np.float32)
    metrics = Metrics(lost, *[fine] * 4)
    assert metrics.divergence(np.array([0, 5, 5, 8], np.int32)) is None
    assert metrics.divergence(np.array([0, 5, 6, 8], np.int32)) == 2
