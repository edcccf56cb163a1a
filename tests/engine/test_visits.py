"""What the host sees of a training, keeps of it, and how it ends one."""

from typing import Any

import numpy as np
import pytest

from ltr.engine.trainer import Progress, Snapshot, Trainer
from ltr.errors import LtrError
from tests.engine.lanes import AT, LANES, identical, ignore


@pytest.mark.usefixtures("visited_at_every_step")
def test_a_visit_sees_who_trains_how_far_and_how_well(trainer: Trainer, starts: Any) -> None:
    seen: list[Progress] = []
    outcomes = trainer.train(starts, AT, seen.append)
    assert [tuple(progress.names) for progress in seen] == [tuple(LANES[:2])] * 14 + [tuple(LANES[2:])] * 14
    assert sum(progress.steps for progress in seen) == 3 * 14
    pair = np.stack([outcomes[lane].metrics.val_accuracy for lane in LANES[:2]]).mean(0)
    latest = np.searchsorted(AT, range(1, 15), side="right") - 1
    assert [progress.accuracy for progress in seen[:14]] == pytest.approx(pair[latest].tolist())
    assert all(outcome.seconds > 0 for outcome in outcomes.values())


def test_final_weights_are_kept_where_they_are_needed(trainer: Trainer, starts: Any) -> None:
    whole = trainer.train(starts, AT, ignore)
    found = trainer.train(starts, AT, ignore, keeps_params=lambda lane: lane == LANES[0])
    assert [outcome.params is None for outcome in found.values()] == [lane != LANES[0] for lane in found]
    kept, expected = (outcomes[LANES[0]] for outcomes in (found, whole))
    assert identical(kept, expected)


@pytest.mark.usefixtures("visited_at_every_step")
def test_a_snapshot_of_any_visit_resumes_bit_for_bit(trainer: Trainer, starts: Any) -> None:
    snapshots: list[Snapshot] = []
    whole = trainer.train(starts, AT, lambda progress: snapshots.append(progress.snapshot()))
    steps_left = []
    for snapshot in snapshots:
        seen: list[int] = []
        resumed = trainer.train(starts, AT, lambda progress, to=seen: to.append(progress.steps), snapshot)
        assert all(identical(whole[lane], resumed[lane]) for lane in LANES)
        steps_left.append(sum(seen))
    assert steps_left == [*range(40, 14, -2), *range(14, -1, -1)]


@pytest.mark.usefixtures("visited_at_every_step")
def test_a_snapshot_of_other_lanes_is_ignored(trainer: Trainer, starts: Any) -> None:
    snapshots: list[Snapshot] = []
    whole = trainer.train(starts, AT, lambda progress: snapshots.append(progress.snapshot()))
    chunk = {LANES[1]: starts[LANES[1]]}
    for snapshot in (snapshots[7], snapshots[-1]):
        resumed = trainer.train(chunk, AT, ignore, snapshot)
        assert list(resumed) == [LANES[1]]
        assert identical(resumed[LANES[1]], whole[LANES[1]])


def test_what_a_visit_raises_ends_the_training(trainer: Trainer, starts: Any) -> None:
    def stop(progress: Progress) -> None:
        raise LtrError("enough")

    with pytest.raises(LtrError, match="enough"):
        trainer.train(starts, AT, stop)
