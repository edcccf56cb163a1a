"""A round under way comes back from its checkpoint as it was, lanes and all."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

from ltr.engine.program import Metrics
from ltr.engine.running_batch import LaneBatch, Outcome
from ltr.engine.trainer import InitialState, Snapshot
from ltr.experiment import snapshot
from ltr.methods.method import Lane
from ltr.store import checkpoints
from ltr.store.tables import LaneId

TICKET, CONTROL = LaneId(1, 0, "ticket", 0), LaneId(1, 0, "random_mask", 0)
RUNNING = (LaneId(1, 1, "ticket", 0), LaneId(1, 1, "random_mask", 0))


def metrics(seed: int) -> Metrics:
    """Of two evaluations; no loss of training before the first step."""
    values = np.random.default_rng(seed).random((5, 2), np.float32)
    values[0, 0] = np.nan
    return Metrics(*values)


def weights(seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {
        name: {"kernel": generator.random((3, 2), np.float32), "bias": np.zeros(2, np.float32)}
        for name in ("a", "b")
    }


def lane(seed: int) -> Lane:
    """Half-way through: moments and mask unlike those of a fresh lane."""
    opt_state = jax.tree.map(lambda leaf: np.asarray(leaf + seed), optax.scale_by_adam().init(weights(0)))
    mask = {name: {"kernel": np.eye(3, 2, seed - 3, dtype=bool), "bias": None} for name in ("a", "b")}
    return Lane(
        weights(seed),
        opt_state,
        mask,
        np.array([seed, 7], np.uint32),
        np.array(seed, np.float32),
        best_val_loss=np.array(-seed, np.float32),
        best_params=weights(seed + 9),
    )


def taken() -> Snapshot:
    outcomes = {
        TICKET: Outcome(weights(1), 0.5, metrics(1), 2.5, operations=7),
        CONTROL: Outcome(None, 0.25, metrics(2), 3.5, {"early_bird_step": 95}),
    }
    return Snapshot(outcomes, LaneBatch(RUNNING, [lane(3), lane(4)], 12, [metrics(3), metrics(4)], 1.5))


def restored(path: Path) -> Snapshot:
    """The snapshot, after a journey through a checkpoint on disk."""
    checkpoints.save(path, *snapshot.pack(taken()))
    about = checkpoints.metadata(path)
    assert snapshot.is_readable(about)
    starts = dict.fromkeys(RUNNING, InitialState(None, None, np.zeros(2, np.uint32)))
    return snapshot.unpack(checkpoints.load(path), about, starts, lambda start: lane(9))


def assert_same(left: Any, right: Any) -> None:
    """Bit for bit; NaN too."""
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert one.dtype == other.dtype
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def test_lanes_under_way_come_back(tmp_path: Path) -> None:
    before, after = taken().batch, restored(tmp_path / "saved").batch
    assert after.names == before.names
    assert (after.step, after.seconds) == (before.step, before.seconds)
    assert_same(after.lanes, before.lanes)
    assert_same(after.metrics, before.metrics)


def test_lanes_that_are_through_come_back(tmp_path: Path) -> None:
    before, after = taken().outcomes, restored(tmp_path / "saved").outcomes
    assert list(after) == list(before)
    for name in before:
        assert after[name][1:2] == before[name][1:2]
        assert after[name][3:] == before[name][3:]
        assert_same(after[name].metrics, before[name].metrics)


def test_the_steps_of_the_lanes_that_are_wanted_are_counted() -> None:
    evaluate_at = np.array([10, 20, 50], np.int32)
    assert snapshot.steps(taken(), [TICKET, CONTROL, *RUNNING], evaluate_at) == 2 * 40 + 2 * 2
    assert snapshot.steps(taken(), [TICKET, RUNNING[0]], evaluate_at) == 40 + 2


def test_final_weights_come_back_where_they_are_kept(tmp_path: Path) -> None:
    outcomes = restored(tmp_path / "saved").outcomes
    assert_same(outcomes[TICKET].params, weights(1))
    assert outcomes[CONTROL].params is None


def test_a_wave_with_a_lane_that_is_not_wanted_any_more_is_left_out(tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "saved", *snapshot.pack(taken()))
    saved = checkpoints.load(tmp_path / "saved"), checkpoints.metadata(tmp_path / "saved")
    starts = {RUNNING[0]: InitialState(None, None, np.zeros(2, np.uint32))}
    found = snapshot.unpack(*saved, starts, lambda start: lane(9))
    assert found.batch is None
    assert list(found.outcomes) == [TICKET, CONTROL]
    assert snapshot.steps(found, [TICKET, CONTROL, *RUNNING], np.array([10, 50])) == 80


def test_a_wave_of_another_state_begins_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoints.save(tmp_path / "saved", *snapshot.pack(taken()))
    saved = checkpoints.load(tmp_path / "saved"), checkpoints.metadata(tmp_path / "saved")
    starts = dict.fromkeys(RUNNING, InitialState(None, None, np.zeros(2, np.uint32)))
    for other in (lane(9)._replace(opt_state=()), lane(9)._replace(key=np.zeros(3, np.uint32))):
        found = snapshot.unpack(*saved, starts, lambda start, other=other: other)
        assert found.batch is None
        assert list(found.outcomes) == [TICKET, CONTROL]
        assert caplog.messages[-1].endswith("; its lanes in training begin again")


def test_what_another_version_packed_is_not_read() -> None:
    assert not snapshot.is_readable({"done": [], "wave": []})
