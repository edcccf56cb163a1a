"""Runs that advance side by side: what trains together, and what concerns one of them alone."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ltr.engine.program import Metrics
from ltr.engine.running_batch import LaneBatch, Outcome
from ltr.engine.trainer import InitialState, Progress, Snapshot
from ltr.errors import LtrError
from ltr.experiment import joint
from ltr.experiment.joint import Training, Trainings
from ltr.methods.method import Lane
from ltr.store.tables import LaneId

STEPS = np.array([0, 2, 4], np.int32)

START = InitialState({}, {}, np.zeros(2, np.uint32))

METRICS = Metrics(*np.ones((5, 3), np.float32))


class Trainer:
    """Trains every lane at once, in two chunks; notes the lanes of each call and what it resumed."""

    placement = SimpleNamespace(capacity=4)

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.resumed: list[Snapshot | None] = []

    def train(
        self,
        starts: dict[Any, InitialState],
        evaluate_at: Any,
        on_chunk: Callable[[Progress], None],
        resume: Snapshot | None,
        keeps_params: Callable[[Any], bool],
    ) -> dict[Any, Outcome]:
        self.calls.append([*starts])
        self.resumed.append(resume)
        batch = LaneBatch(tuple(starts), [*map(lane, starts)], 2, [METRICS] * len(starts), 1.0)
        for _ in range(2):
            on_chunk(Progress([*starts], 2 * len(starts), 0.5, lambda: Snapshot({}, batch)))
        return {name: Outcome(name if keeps_params(name) else None, 1.0, METRICS, 1.0) for name in starts}


def lane(name: Any) -> Lane:
    return Lane(name, (), {}, np.zeros(2, np.uint32), np.zeros((), np.float32), ())


def names(replicates: int, round_number: int = 0) -> list[LaneId]:
    return [LaneId(round_number, replicate, "ticket", 0) for replicate in range(replicates)]


def training(trainer: Any, lanes: list[LaneId], steps: Any = STEPS, **more: Any) -> Training:
    return Training(
        trainer, dict.fromkeys(lanes, START), steps, more.pop("on_chunk", str), lambda lane: True, **more
    )


def run(trainer: Any, rounds: int, log: list[Any], **more: Any) -> Trainings:
    for number in range(rounds):
        outcomes = yield training(trainer, names(1, number), **more)
        log.append({lane: outcome.params for lane, outcome in outcomes.items()})


def test_runs_of_equal_steps_train_together_and_get_their_own_outcomes() -> None:
    trainer = Trainer()
    short: list[Any] = []
    long: list[Any] = []
    assert joint.conduct([run(trainer, 1, short), run(trainer, 3, long)]) == [None, None]
    first, second, third = (LaneId(number, 0, "ticket", 0) for number in range(3))
    assert trainer.calls == [[(0, first), (1, first)], [(0, second)], [(0, third)]]
    assert short == [{first: (0, first)}]
    assert long == [{first: (1, first)}, {second: (0, second)}, {third: (0, third)}]


def test_runs_of_other_steps_or_of_another_trainer_train_in_turns() -> None:
    one, other = Trainer(), Trainer()
    later = np.array([2, 4], np.int32)
    runs = [run(one, 2, []), run(one, 2, [], steps=later), run(other, 1, []), run(one, 2, [])]
    assert joint.conduct(runs) == [None] * 4
    assert [len(call) for call in one.calls] == [2, 1, 2, 1]
    assert [len(call) for call in other.calls] == [1]


def test_an_error_of_a_run_leaves_the_others() -> None:
    def failing() -> Trainings:
        yield training(trainer, names(1))
        raise LtrError("full disk")

    def refused() -> Trainings:
        raise LtrError("locked")
        yield

    trainer, log = Trainer(), []
    ended: dict[int, str] = {}
    errors = joint.conduct(
        [refused(), failing(), run(trainer, 2, log)], lambda number, error: ended.update({number: str(error)})
    )
    assert list(map(str, errors)) == ["locked", "full disk", "None"]
    assert ended == {0: "locked", 1: "full disk", 2: "None"}
    assert len(log) == 2


def test_an_error_between_chunks_is_thrown_into_its_run_after_the_others_went_on() -> None:
    seen: list[str] = []

    def stopped(progress: Progress) -> None:
        raise LtrError("diverged")

    def watched() -> Trainings:
        try:
            yield training(trainer, names(1), on_chunk=stopped)
        except LtrError as error:
            seen.append(str(error))
            raise

    trainer, log = Trainer(), []
    errors = joint.conduct([watched(), run(trainer, 1, log)])
    assert (seen, str(errors[0]), errors[1]) == (["diverged"], "diverged", None)
    assert len(log) == 1


def test_when_all_runs_stop_each_gets_its_own_error() -> None:
    def stopping(name: str) -> Callable[[Progress], None]:
        def on_chunk(progress: Progress) -> None:
            raise LtrError(name)

        return on_chunk

    trainer = Trainer()
    errors = joint.conduct([run(trainer, 1, [], on_chunk=stopping(name)) for name in ("one", "two")])
    assert list(map(str, errors)) == ["one", "two"]


def test_an_exception_that_ends_the_process_is_thrown_into_every_waiting_run() -> None:
    ended: list[str] = []

    def interrupted(progress: Progress) -> None:
        raise KeyboardInterrupt

    def watched(name: str, **more: Any) -> Trainings:
        try:
            yield training(trainer, names(1), **more)
        except KeyboardInterrupt:
            ended.append(name)
            raise

    trainer = Trainer()
    with pytest.raises(KeyboardInterrupt):
        joint.conduct([watched("one", on_chunk=interrupted), watched("two"), run(trainer, 1, [])])
    assert ended == ["one", "two"]


def test_a_run_is_told_of_its_own_lanes_alone() -> None:
    told: list[Progress] = []
    trainer = Trainer()
    trainings = [
        training(trainer, names(2), on_chunk=lambda progress: None),
        training(trainer, names(1), on_chunk=told.append),
    ]
    joint.train(trainings)
    assert [(progress.names, progress.steps) for progress in told] == [(names(1), 2)] * 2
    batch = told[0].snapshot().batch
    assert batch is not None
    assert batch.names == tuple(names(1))
    assert batch.lanes[0].params == (1, *names(1))
    assert len(batch.metrics) == 1


def resumed(replicates: int, step: int) -> Snapshot:
    lanes = names(replicates)
    return Snapshot({}, LaneBatch(tuple(lanes), [*map(lane, lanes)], step, [METRICS] * replicates, step))


def test_parts_of_one_batch_are_resumed_as_one() -> None:
    trainer = Trainer()
    joint.train([training(trainer, names(2), resume=resumed(count, 2)) for count in (1, 2)])
    (merged,) = trainer.resumed
    assert merged is not None
    assert merged.batch is not None
    assert merged.batch.names == ((0, names(1)[0]), (1, names(2)[0]), (1, names(2)[1]))
    assert merged.batch.step == 2


@pytest.mark.parametrize(("counts", "steps"), [((1, 1), (1, 2)), ((3, 2), (2, 2))])
def test_parts_of_several_batches_or_of_too_many_lanes_are_resumed_in_turns(
    counts: tuple[int, int], steps: tuple[int, int]
) -> None:
    def resuming(count: int, step: int) -> Trainings:
        yield training(trainer, names(count), resume=resumed(count, step))

    trainer = Trainer()
    joint.conduct([resuming(*pair) for pair in zip(counts, steps, strict=True)])
    assert [len(call) for call in trainer.calls] == [*counts]
